// Package resume keeps runs of the sampler in files, so that one that was interrupted or killed can go
// on, to the same bits as an undisturbed one.
//
// A [Keeper] is an observer that writes such files while a run goes on, [Load] reads one, and
// sampler.Job.Resume takes what it holds. A file says what made it: program, engine, settings and the
// hashes of the inputs; [File.Check] compares that with the run that wants to go on.
package resume

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/engine/cpu"
	"github.com/seed-0f004ec9/spgd/internal/atomicfile"
	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// A checkpoint is a safetensors file in float32. Its metadata:
//
//	format    "spgd.checkpoint"
//	version   "1"
//	record    what made it, the compact JSON form of a report.Run
//	run       the fields of a sampler.Checkpoint, in JSON
//	checksum  CRC-32C of the arrays, in the order of their names, in hexadecimal
//
// Its tensors are the state.
const (
	fileFormat  = "spgd.checkpoint"
	fileVersion = "1"
)

// Errors that a caller may want to tell apart; those returned wrap them with the details.
var (
	// ErrFile reports a checkpoint that is damaged or not one at all.
	ErrFile = errors.New("bad checkpoint")
	// ErrVersion reports a checkpoint of a format that this version does not know.
	ErrVersion = errors.New("unknown version of the checkpoint")
	// ErrOther reports a checkpoint of another run.
	ErrOther = errors.New("a checkpoint of another run")
)

// File is what a checkpoint file holds.
type File struct {
	Path   string
	Run    *sampler.Checkpoint
	Record *report.Run // in its compact form
}

// Record is the least that a record says: the program and the engine. A caller adds what it knows of
// the inputs and settings.
func Record(e *engine.Engine) *report.Run {
	r := report.New("restore")
	r.Engine.Name = e.Backend().Name()
	r.Engine.Precision = e.Precision()
	if b, ok := e.Backend().(*cpu.Backend); ok {
		r.Engine.ISA, r.Engine.Convolution = cpu.ISA(), b.Convolution()
	}
	if a := e.Accelerator(); a != nil {
		r.Engine.Device = a.Name
	}
	return r
}

// Save writes a checkpoint, whole or not at all: whatever happens, even a loss of power, the file is
// the one before or the new one.
func Save(path string, c *sampler.Checkpoint, r *report.Run) error {
	run, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	record, err := r.Compact()
	if err != nil {
		return err
	}
	metadata := map[string]string{
		"format": fileFormat, "version": fileVersion,
		"record": record, "run": string(run), "checksum": checksum(c.State),
	}
	return atomicfile.Write(path, func(w io.Writer) error { return checkpoint.Write(w, c.State, metadata) })
}

// checksum tells arrays that a disk has changed.
func checksum(state map[string]checkpoint.Tensor) string {
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := uint32(0)
	block := make([]byte, 0, 1<<16)
	for _, name := range slices.Sorted(maps.Keys(state)) {
		for _, v := range state[name].Data {
			if block = binary.LittleEndian.AppendUint32(block, math.Float32bits(v)); len(block) == cap(block) {
				sum, block = crc32.Update(sum, table, block), block[:0]
			}
		}
	}
	return strconv.FormatUint(uint64(crc32.Update(sum, table, block)), 16)
}

// Load reads a checkpoint. What is wrong with it is said in an error that is an ErrFile or an
// ErrVersion, or the error of the operating system.
func Load(path string) (*File, error) {
	f, err := checkpoint.Open(path)
	if err != nil {
		var system *fs.PathError
		if errors.As(err, &system) {
			return nil, fmt.Errorf("resume: %w", err)
		}
		return nil, fmt.Errorf("resume: %w: %w", ErrFile, err)
	}
	file, err := decode(f)
	if err != nil {
		return nil, fmt.Errorf("resume: %s: %w", path, err)
	}
	return file, nil
}

func damaged(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, ErrFile)...)
}

// decode takes the content of a file apart. That the state fits the run is for sampler.Driver to see.
func decode(f *checkpoint.File) (*File, error) {
	meta := f.Metadata
	if f.Format != checkpoint.FormatSafetensors || meta["format"] != fileFormat {
		return nil, damaged("not a checkpoint of a run (its format is %q, not %q)", meta["format"], fileFormat)
	}
	if meta["version"] != fileVersion {
		return nil, fmt.Errorf("%w: %q (this program reads %q)", ErrVersion, meta["version"], fileVersion)
	}
	for name, kind := range f.Skipped {
		return nil, damaged("tensor %.100q is of type %s, want float32", name, kind)
	}
	if sum := checksum(f.Tensors); meta["checksum"] != sum {
		return nil, damaged("its arrays have the checksum %s instead of %.20q", sum, meta["checksum"])
	}
	record, err := report.Parse([]byte(meta["record"]))
	if err != nil {
		return nil, damaged("its record: %w", err)
	}
	c := &sampler.Checkpoint{}
	if err := json.Unmarshal([]byte(meta["run"]), c); err != nil {
		return nil, damaged("its run is no JSON of one (%v)", err)
	}
	c.State = f.Tensors
	if steps := len(c.Sigmas) - 1; c.Step < 1 || c.Step > steps || c.Sample < 0 || c.Batch < 0 || len(c.Records) != c.Sample*steps+c.Step*c.InProgress() {
		return nil, damaged("it has %d records after %d of %d steps", len(c.Records), c.Step, steps)
	}
	for _, name := range []string{sampler.StateX, sampler.StateX0hat} {
		if _, ok := c.State[name]; !ok {
			return nil, damaged("tensor %q is missing", name)
		}
	}
	return &File{Path: f.Name, Run: c, Record: record}, nil
}

// Check compares what made the checkpoint with what would go on from it: program, engine, settings and
// inputs. Its error is an ErrOther that names the first difference.
func (f *File) Check(r *report.Run) error {
	differences, err := r.Differences(f.Record, "it")
	if err != nil {
		return err
	}
	if len(differences) == 0 {
		return nil
	}
	// What a user did comes before what follows from it, such as another size.
	rank := func(difference string) int {
		return slices.IndexFunc(causes, func(prefix string) bool { return strings.HasPrefix(difference, prefix) })
	}
	slices.SortStableFunc(differences, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	return fmt.Errorf("resume: %s is %w: %s", f.Path, ErrOther, differences[0])
}

// causes are the beginnings of the names of fields in the order of their importance. The last is that of
// all others.
var causes = []string{"program.", "engine.", "input.", "task", "prior.", "seed", "sampler.name", "sampler.", "noise.", ""}

// Remove removes the checkpoint of a run that is complete. It is no error if there is none.
func Remove(path string) error { return atomicfile.Remove(path) }
