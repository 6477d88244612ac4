package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd/imageio"
)

// batchOptions are the flags of a restoration of many pictures.
type batchOptions struct {
	manifest  string
	recursive bool
	format    string
	overwrite bool
	dryRun    bool
	jobs      int
	log       string
}

// batchFlags are their names.
var batchFlags = []string{"manifest", "recursive", "format", "overwrite", "dry-run", "jobs", "log"}

// batchLog is the name of the log in the folder of the outputs.
const batchLog = "spgd-log.jsonl"

// AddFlags adds them.
func (o *batchOptions) AddFlags(f *pflag.FlagSet) {
	f.StringVar(&o.manifest, "manifest", "", "restore the pictures that `FILE` lists with their settings, see FOLDERS above")
	f.BoolVar(&o.recursive, "recursive", false, "folders: with all that is below them")
	addChoice(f, &o.format, "format", "format", "", "folders: format of the outputs (default that of the input, PNG where that cannot be)", []string{"png", "jpg"})
	f.BoolVar(&o.overwrite, "overwrite", false, "folders: replace files in OUTDIR that spgd restore did not write")
	f.BoolVar(&o.dryRun, "dry-run", false, "folders: say what would be done and end")
	f.IntVar(&o.jobs, "jobs", 0, "folders: `NUMBER` of pictures at once, which does not change the results (default by their size\nand the processor's cores); on an accelerator the most in a batch (default what fills it and fits\nits memory), by which results differ by rounding")
	f.StringVar(&o.log, "log", "", "folders: add a line of JSON for every picture to `FILE` (default OUTDIR/"+batchLog+")")
}

// The flags of restore are of three kinds: those of a whole run, those for one picture alone, and all
// others, which a line of a manifest may have too.
var (
	wholeRunFlags = append([]string{"output", "json", "quiet", "help", "threads", "device", "precision", "programs", "prior", "network", "memory", "resume", "checkpoint-every"}, batchFlags...)
	loneFlags     = []string{"from", "allow-different", "report", "preview", "preview-every", "spread", "keep-samples"}
)

// perPicture says whether a flag is a setting that every picture may have its own value of.
func perPicture(name string) bool {
	return !slices.Contains(wholeRunFlags, name) && !slices.Contains(loneFlags, name)
}

// isBatch says whether many pictures are meant: by the inputs, or by an output that is a folder.
func (o *restoreOptions) isBatch(args []string) bool {
	return o.batch.manifest != "" || len(args) != 1 || isDirectory(args[0]) || isPattern(args[0]) || namesFolder(o.output.path)
}

// namesFolder says whether an output is a folder: it ends as one, or is one that is not named like a
// picture.
func namesFolder(path string) bool {
	if path != "" && os.IsPathSeparator(path[len(path)-1]) {
		return true
	}
	_, err := imageio.FormatOf(path)
	return err != nil && isDirectory(path)
}

// checkLone refuses the flags of batches for a single picture.
func (o *restoreOptions) checkLone(f *pflag.FlagSet) error {
	for _, name := range batchFlags {
		if f.Changed(name) {
			return usagef("--%s is for several pictures, and %s is one file: give a folder, several files or a manifest, and a folder as OUT", name, o.output.path)
		}
	}
	return nil
}

// checkBatch checks what concerns a batch as a whole.
func (o *restoreOptions) checkBatch(f *pflag.FlagSet, args []string) error {
	for _, name := range loneFlags {
		if f.Changed(name) {
			return usagef("--%s is for one picture", name)
		}
	}
	if o.batch.manifest == "" && len(args) == 0 {
		return usagef("restore takes one input file, several, a folder or --manifest FILE (spgd restore IN -o OUT)")
	}
	if o.batch.manifest != "" && len(args) > 0 {
		return usagef("--manifest lists the inputs: %s cannot be given beside it", args[0])
	}
	if o.batch.jobs < 0 {
		return usagef("--jobs %d: the number of pictures at once cannot be negative", o.batch.jobs)
	}
	out := o.output.path
	if out == "" && o.batch.manifest == "" {
		return usagef("no output is given: use -o FOLDER")
	}
	if _, err := imageio.FormatOf(out); err == nil && !namesFolder(out) {
		return usagef("the output %s is one file: for several inputs give a folder", out)
	}
	if st, err := os.Stat(out); err == nil && !st.IsDir() {
		return usagef("the output %s is a file: for several inputs give a folder", out)
	}
	return nil
}

// derive returns the options of one picture of a batch: those of the command line but for the flags in
// except, for the caller to add to.
func (o *restoreOptions) derive(f *pflag.FlagSet, except []string) (*restoreOptions, *pflag.FlagSet, error) {
	own, g := &restoreOptions{}, pflag.NewFlagSet("picture", pflag.ContinueOnError)
	own.AddFlags(g)
	var err error
	f.Visit(func(flag *pflag.Flag) {
		if err != nil || slices.Contains(except, flag.Name) || slices.Contains(batchFlags, flag.Name) || g.Lookup(flag.Name) == nil {
			return
		}
		values := []string{flag.Value.String()}
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, v := range values {
			if err == nil {
				err = g.Set(flag.Name, v)
			}
		}
	})
	return own, g, err
}

func isDirectory(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// isPattern says whether an input is a pattern of file names, which the shell has not expanded.
func isPattern(path string) bool {
	if !strings.ContainsAny(path, "*?[") {
		return false
	}
	_, err := os.Lstat(path)
	return err != nil
}

// expand returns the files that a pattern matches, in order, or the path itself if it is none.
func expand(path string) ([]string, error) {
	if !isPattern(path) {
		return []string{path}, nil
	}
	names, err := filepath.Glob(path)
	if err != nil {
		return nil, usagef("%q is not a pattern of file names: %w", path, err)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return strings.HasPrefix(filepath.Base(n), ".") })
	if len(names) == 0 {
		return nil, as(errInput, fmt.Errorf("no file matches %q", path))
	}
	return names, nil
}
