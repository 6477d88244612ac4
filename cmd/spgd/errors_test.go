package main

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
)

// errorCase is a command line that has to fail. In args, the words that name a file of the folder
// made by errorFiles stand for its path; "out.png" and the like for a path in the same folder.
type errorCase struct {
	name    string
	args    string
	code    int
	message string // a part of the sentence
}

// Beginnings of command lines that are right but for what follows.
const (
	denoise = "restore --task denoise photo.png -o out.png "
	inpaint = "restore --task inpaint photo.png -o out.png "
	deblur  = "restore --task deblur photo.png -o out.png "
	degrade = "degrade --task denoise photo.png -o out.png "
)

var errorCases = []errorCase{
	{"unknown command", "restor photo.png", exitUsage, "did you mean restore?"},
	{"unknown flag", denoise + "--stepz 3", exitUsage, "did you mean --steps?"},
	{"unknown short flag", denoise + "-z", exitUsage, "unknown flag -z"},
	{"unknown flag far from all", denoise + "--zzzzzzzzzz", exitUsage, "spgd restore --help"},
	{"flag without its value", "restore --task denoise photo.png -o", exitUsage, "-o"},
	{"no input", "restore --task denoise -o out.png", exitUsage, "one input file"},
	{"two inputs and one output", denoise + "photo.png", exitUsage, "is one file: for several inputs give a folder"},
	{"no output", "restore --task denoise photo.png", exitUsage, "-o FILE"},
	{"no task", "restore photo.png -o out.png", exitUsage, "--task"},
	{"unknown task", "restore --task inpant photo.png -o out.png", exitUsage, "did you mean inpaint?"},
	{"unknown preset", denoise + "--preset relased", exitUsage, "did you mean released?"},
	{"unknown quality", denoise + "--quality drat", exitUsage, "did you mean draft?"},
	{"quality and preset", denoise + "--quality draft --preset paper", exitUsage, "--quality and --preset"},
	{"unknown momentum", denoise + "--adm pixels", exitUsage, "did you mean pixel?"},
	{"unknown denoise step", denoise + "--denoise fres", exitUsage, "did you mean fresh?"},
	{"unknown noise model", denoise + "--noise-model poison", exitUsage, "did you mean poisson?"},
	{"unknown network", denoise + "--network ffhq", exitUsage, "did you mean ffhq256?"},

	{"zero steps", denoise + "--steps 0", exitUsage, "0 steps"},
	{"negative steps", denoise + "--steps -3", exitUsage, "-3 steps"},
	{"steps that are no number", denoise + "--steps many", exitUsage, "not a whole number"},
	{"zero warm-up", denoise + "--warmup 0", exitUsage, "warm-up"},
	{"beta of 1", denoise + "--beta 1", exitUsage, "beta"},
	{"beta NaN", denoise + "--beta nan", exitUsage, "beta"},
	{"sigma NaN", denoise + "--noise NaN", exitUsage, "--noise"},
	{"sigma infinite", denoise + "--noise inf", exitUsage, "--noise"},
	{"sigma negative", denoise + "--noise -0.1", exitUsage, "--noise"},
	{"sigma negative when degrading", degrade + "--noise -0.1", exitUsage, "--noise"},
	{"sigma that is no number", denoise + "--noise 0,01", exitUsage, "not a number"},
	{"sigma-max below sigma-min", denoise + "--sigma-max 0.05", exitUsage, "sigma_max"},
	{"zero step size", denoise + "--step-size 0", exitUsage, "step size"},
	{"negative step size", denoise + "--step-size -1", exitUsage, "step size"},
	{"step size NaN", denoise + "--step-size NaN", exitUsage, "step size"},
	{"negative seed", denoise + "--seed -1", exitUsage, "--seed"},
	{"too many threads", denoise + "--threads 1000000", exitUsage, "at most 1024"},
	{"too many steps", denoise + "--steps 1000000000", exitUsage, "at most 1000000"},
	{"sigma huge", denoise + "--noise 1e39", exitUsage, "at most 1e+06"},
	{"sigma-max huge", denoise + "--sigma-max 1e30", exitUsage, "at most 1e+06"},
	{"flag that is true or false", denoise + "--invert-mask=maybe", exitUsage, "true or false"},
	{"unknown flag before the command", "--zzzzzzzzzz", exitUsage, "see spgd --help"},
	{"negative threads", denoise + "--threads -1", exitUsage, "threads"},
	{"unknown precision", denoise + "--precision fp8", exitUsage, "f32, bf16"},

	{"unknown method", denoise + "--method dpss", exitUsage, "did you mean dps?"},
	{"unknown method with a filter", denoise + "--method dpss+diffstategrad", exitUsage, "unknown method"},
	{"filter without gradients", denoise + "--method ddrm+diffstategrad", exitUsage, "no gradients"},
	{"setting for spgd", denoise + "--set eta=1", exitUsage, "--set is for other methods"},
	{"flag of spgd for another method", denoise + "--method dps --warmup 2", exitUsage, "--warmup is for --method spgd"},
	{"setting without value", denoise + "--method dps --set eta", exitUsage, "NAME=VALUE"},
	{"unknown setting of a method", denoise + "--method dps --set zeta=1", exitUsage, "it has steps, sigma-max, sigma-min, scale"},
	{"setting out of range", denoise + "--method dps --set eta=2", exitUsage, "eta of dps is 2"},
	{"steps of a method", denoise + "--method dps --steps 0", exitUsage, "0 steps"},
	{"linear method for another task", "restore --task hdr photo.png -o out.png --method ddnm", exitUsage, "needs a linear operator"},
	{"factors of a kernel without", deblur + "--kernel motion:7:30 --method ddrm", exitUsage, "singular value decomposition"},

	{"sr without scale", "restore --task sr photo.png -o out.png", exitUsage, "--scale"},
	{"scale too small", "restore --task sr --scale 1 photo.png -o out.png", exitUsage, "factor 1"},
	{"scale for another task", denoise + "--scale 4", exitUsage, "--scale"},
	{"inpaint without mask", inpaint, exitUsage, "--mask"},
	{"mask for another task", denoise + "--mask mask.png", exitUsage, "--mask"},
	{"invert-mask for another task", denoise + "--invert-mask", exitUsage, "--invert-mask"},
	{"deblur without kernel", deblur, exitUsage, "--kernel"},
	{"kernel for another task", denoise + "--kernel gaussian:3", exitUsage, "--kernel"},
	{"mask fraction out of range", inpaint + "--mask random:1.5", exitUsage, "1.5"},
	{"mask box without size", inpaint + "--mask box:", exitUsage, "box:"},
	{"kernel that is negative", deblur + "--kernel gaussian:-1", exitUsage, "-1"},
	{"kernel without angle", deblur + "--kernel motion:9", exitUsage, "motion:LENGTH:ANGLE"},
	{"phase retrieval of a picture", "restore --task phase photo.png -o out.png", exitUsage, "spgd degrade"},
	{"phase retrieval to a picture", "degrade --task phase photo.png -o out.png", exitUsage, ".safetensors"},
	{"task with a measurement", "restore --task denoise y.safetensors -o out.png", exitUsage, "--task"},
	{"mask with a measurement", "restore --mask mask.png y.safetensors -o out.png", exitUsage, "--mask"},
	{"depth for a measurement", "degrade --task denoise --depth 16 photo.png -o out.safetensors", exitUsage, "--depth"},

	{"missing image", "restore --task denoise absent.png -o out.png", exitInput, "no such file"},
	{"missing image to degrade", "degrade --task denoise absent.png -o out.png", exitInput, "no such file"},
	{"truncated image", "restore --task denoise truncated.png -o out.png", exitInput, "truncated.png"},
	{"truncated image to degrade", "degrade --task denoise truncated.png -o out.png", exitInput, "truncated.png"},
	{"empty image", "restore --task denoise empty.png -o out.png", exitInput, "empty.png"},
	{"text as image", "restore --task denoise text.png -o out.png", exitInput, "text.png"},
	{"folder and one output", "restore --task denoise folder -o out.png", exitUsage, "is one file: for several inputs give a folder"},
	{"folder as image", "degrade --task denoise folder -o out.png", exitInput, "folder"},
	{"mask of another size", inpaint + "--mask small-mask.png", exitInput, "16x16"},
	{"mask of another size when degrading", "degrade --task inpaint --mask small-mask.png photo.png -o out.png", exitInput, "16x16"},
	{"mask that keeps nothing", inpaint + "--mask black.png", exitInput, "mask"},
	{"missing mask", inpaint + "--mask absent.png", exitInput, "neither a file nor random:FRACTION"},
	{"misspelt mask", inpaint + "--mask randm:0.8", exitInput, "neither a file nor random:FRACTION"},
	{"truncated mask", inpaint + "--mask truncated.png", exitInput, "mask"},
	{"box larger than the image", inpaint + "--mask box:99", exitInput, "99"},
	{"kernel larger than the image", deblur + "--kernel gaussian:9", exitInput, "kernel"},
	{"kernel that is black", deblur + "--kernel black.png", exitInput, "kernel"},
	{"misspelt kernel", deblur + "--kernel gausian:3", exitInput, "neither a file nor gaussian:STD"},
	{"missing measurement", "restore absent.safetensors -o out.png", exitInput, "no such file"},
	{"truncated measurement", "restore y-truncated.safetensors -o out.png", exitInput, "y-truncated.safetensors"},
	{"checkpoint as measurement", "restore tiny.safetensors -o out.png", exitInput, "not a measurement"},

	{"unknown prior", denoise + "--prior natural-smal", exitCheckpoint, "did you mean natural-small?"},
	{"missing checkpoint", denoise + "--prior absent.safetensors", exitCheckpoint, "absent.safetensors"},
	{"truncated checkpoint", denoise + "--prior tiny-truncated.safetensors", exitCheckpoint, "truncated"},
	{"checkpoint that lacks a tensor", denoise + "--prior tiny-missing.safetensors", exitCheckpoint, "out.2.bias"},
	{"checkpoint with another tensor", denoise + "--prior tiny-extra.safetensors", exitCheckpoint, "surplus.weight"},
	{"checkpoint with a misshapen tensor", denoise + "--prior tiny-shape.safetensors", exitCheckpoint, "out.2.bias"},
	{"checkpoint without configuration", denoise + "--prior tiny-bare.safetensors", exitCheckpoint, "--network"},
	{"checkpoint of another network", denoise + "--prior tiny-bare.safetensors --network ffhq256", exitCheckpoint, "tiny-bare.safetensors"},
	{"picture as checkpoint", denoise + "--prior photo.png", exitCheckpoint, "photo.png"},
	{"text as checkpoint", denoise + "--prior text.png", exitCheckpoint, "text.png"},

	{"diverging step size", denoise + "--steps 2 --warmup 2 --step-size 1e30", exitDiverged, "--step-size"},

	{"missing folder", "restore --task denoise photo.png -o absent/out.png", exitOutput, "absent"},
	{"missing folder when degrading", "degrade --task denoise photo.png -o absent/out.png", exitOutput, "absent"},
	{"missing folder of a measurement", "degrade --task denoise photo.png -o absent/out.safetensors", exitOutput, "absent"},
	{"folder as output", "restore --task denoise photo.png -o folder.png", exitOutput, "folder.png"},
	{"format that cannot be written", "restore --task denoise photo.png -o out.gif", exitOutput, ".gif"},
	{"output without extension", "restore --task denoise photo.png -o out", exitOutput, "extension"},
	{"mask that cannot be written", "degrade --task inpaint --mask random:0.5 photo.png -o occupied.png", exitOutput, "occupied.mask.png"},
	{"16 bits in a JPEG", "restore --task denoise --depth 16 photo.png -o out.jpg", exitUsage, "JPEG"},
	{"12 bits", denoise + "--depth 12", exitUsage, "--depth 12"},
	{"output over the input", "restore --task denoise photo.png -o photo.png", exitUsage, "is the input"},
	{"degraded over the input", "degrade --task denoise photo.png -o photo.png", exitUsage, "is the input"},
	{"measurement over the input", "restore y.safetensors -o y.safetensors", exitUsage, "is the input"},
	{"mask over the mask", "degrade --task inpaint --mask photo.mask.png y8.png -o photo.png --invert-mask", exitUsage, "photo.mask.png"},

	{"restored over the mask", "restore --task inpaint --mask mask.png photo.png -o mask.png", exitUsage, "mask.png would replace"},
	{"restored over the kernel", "restore --task deblur --kernel photo.mask.png photo.png -o photo.mask.png", exitUsage, "would replace"},
	{"restored over the prior", "restore --task denoise --prior y8.png photo.png -o y8.png", exitUsage, "would replace"},
	{"analysis without a folder", "analyze photo.png --task sr:2@0.01", exitUsage, "-o FOLDER"},
	{"analysis without a task", "analyze photo.png -o outdir", exitUsage, "--task"},
	{"analysis of an unknown task", "analyze photo.png --task sharpen -o outdir", exitUsage, "sharpen"},
	{"analysis by an unknown method", "analyze photo.png --task sr:2 --size 8 --method magic -o outdir", exitUsage, "magic"},
	{"analysis of a small picture", "analyze photo.png --task sr:2 -o outdir --size 4000", exitInput, "less than the square"},
	{"analysis without seeds", "analyze photo.png --task sr:2 -o outdir --seeds 0", exitUsage, "--seeds 0"},
	{"analysis of several starts", "analyze photo.png --task phase@0.05*4 --size 8 -o outdir", exitUsage, "one start"},
	{"analysis into a file", "analyze photo.png --task sr:2 --size 8 -o mask.png", exitOutput, "folder"},
	{"no samples", denoise + "--samples 0", exitUsage, "1 to 64"},
	{"too many samples", denoise + "--samples 65", exitUsage, "1 to 64"},
	{"first sample zero", denoise + "--first-sample 0", exitUsage, "1 to 256"},
	{"first sample beyond", denoise + "--samples 4 --first-sample 254", exitUsage, "1 to 253"},
	{"spread of one sample", denoise + "--spread out2.png", exitUsage, "--samples 2"},
	{"one sample kept", denoise + "--keep-samples", exitUsage, "--samples 2"},
	{"spread as a JPEG", denoise + "--samples 2 --spread out2.jpg", exitUsage, ".safetensors"},
	{"spread over the input", denoise + "--samples 2 --spread photo.png", exitUsage, "would replace"},
	{"spread over a sample", denoise + "--samples 2 --keep-samples --spread out.sample-2.png", exitUsage, "would replace"},
	{"spread in no folder", denoise + "--samples 2 --spread /nowhere/a.png", exitOutput, "does not exist"},
	{"spread of samples that are the same", denoise + "--noise 0.1 --samples 2 --spread out2.png", exitUsage, "every sample would be the same"},
	{"samples kept that are the same", denoise + "--noise 0.1 --quality best --keep-samples", exitUsage, "every sample would be the same"},
	{"page that is no page", denoise + "--report page.txt", exitUsage, ".html"},
	{"page in no folder", denoise + "--report /nowhere/page.html", exitOutput, "does not exist"},
	{"preview over the input", denoise + "--preview photo.png", exitUsage, "would replace"},
	{"preview over the output", denoise + "--preview out.png", exitUsage, "would replace"},
	{"preview over the mask", inpaint + "--mask mask.png --preview mask.png", exitUsage, "mask.png would replace"},
	{"preview that is no picture", denoise + "--preview out.html", exitOutput, ".png"},
	{"preview now and then without preview", denoise + "--preview-every 3", exitUsage, "--preview"},
	{"preview every zero steps", denoise + "--preview out2.png --preview-every 0", exitUsage, "at least 1"},
	{"measurement over the mask", "degrade --task inpaint --mask y.safetensors photo.png -o y.safetensors", exitUsage, "would replace"},
	{"prior that is not embedded", denoise + "--prior natural-medium", exitCheckpoint, "natural-medium.safetensors"},
	{"compare one image", "compare photo.png", exitUsage, "two images"},
	{"compare with a missing image", "compare photo.png absent.png", exitInput, "no such file"},
	{"compare sizes", "compare photo.png small-mask.png", exitInput, "16x16"},
	{"compare images too small", "compare point.png point.png", exitInput, "11"},
	{"priors of something", "priors natural-small", exitUsage, "no argument"},
}

// errorFiles fills a folder with sound and unsound files.
func errorFiles(t *testing.T) (dir string) {
	dir = t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	writeImage(t, in("photo.png"), testImage(32, 32, 3), imageio.WriteOptions{})
	writeImage(t, in("y8.png"), testImage(32, 32, 3), imageio.WriteOptions{})
	writeImage(t, in("photo.mask.png"), solid(32, 32, 1), imageio.WriteOptions{})
	writeImage(t, in("mask.png"), solid(32, 32, 1), imageio.WriteOptions{})
	writeImage(t, in("small-mask.png"), solid(16, 16, 1), imageio.WriteOptions{})
	writeImage(t, in("black.png"), solid(32, 32, -1), imageio.WriteOptions{})
	writeImage(t, in("point.png"), solid(1, 1, 1), imageio.WriteOptions{})
	photo := readBytes(t, in("photo.png"))
	writeBytes(t, in("truncated.png"), photo[:len(photo)/2])
	writeBytes(t, in("empty.png"), nil)
	writeBytes(t, in("text.png"), []byte("This is not a picture, nor a checkpoint.\n"))
	for _, name := range []string{"folder", "folder.png", "occupied.mask.png"} {
		if err := os.Mkdir(in(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mustRun(t, "degrade", "--task", "denoise", in("photo.png"), "-o", in("y.safetensors"))
	y := readBytes(t, in("y.safetensors"))
	writeBytes(t, in("y-truncated.safetensors"), y[:len(y)-100])

	type tensors = map[string]checkpoint.Tensor
	type metadata = map[string]string
	writeCheckpoint(t, in("tiny.safetensors"), nil)
	tiny := readBytes(t, in("tiny.safetensors"))
	writeBytes(t, in("tiny-truncated.safetensors"), tiny[:len(tiny)-1000])
	writeCheckpoint(t, in("tiny-missing.safetensors"), func(tensors tensors, _ metadata) { delete(tensors, "out.2.bias") })
	writeCheckpoint(t, in("tiny-extra.safetensors"), func(tensors tensors, _ metadata) {
		tensors["surplus.weight"] = checkpoint.Tensor{Shape: []int{2}, Data: []float32{1, 2}}
	})
	writeCheckpoint(t, in("tiny-shape.safetensors"), func(tensors tensors, _ metadata) {
		tensors["out.2.bias"] = checkpoint.Tensor{Shape: []int{2}, Data: []float32{1, 2}}
	})
	writeCheckpoint(t, in("tiny-bare.safetensors"), func(_ tensors, metadata metadata) { delete(metadata, "config") })
	return dir
}

// command turns a case's args into the program's, with paths inside dir.
func command(dir, args string) []string {
	words := strings.Fields(args)
	for i, w := range words {
		_, err := os.Lstat(filepath.Join(dir, w))
		file := strings.HasSuffix(w, ".png") || strings.HasSuffix(w, ".safetensors") || strings.HasPrefix(w, "out")
		if err == nil || file {
			words[i] = filepath.Join(dir, w)
		}
	}
	return words
}

// TestErrors: every error has its exit code and one sentence on stderr, and leaves the files as they
// were.
func TestErrors(t *testing.T) {
	dir := errorFiles(t)
	before := listing(t, dir)
	for _, c := range errorCases {
		t.Run(c.name, func(t *testing.T) {
			r := invoke(t, append([]string{"-q"}, command(dir, c.args)...)...)
			checkError(t, r, c.code, c.message)
			if r.out != "" {
				t.Errorf("stdout holds %q", r.out)
			}
			if after := listing(t, dir); !maps.Equal(before, after) {
				t.Errorf("the files have changed: %d before, %d after", len(before), len(after))
			}
		})
	}
}

// checkError checks an exit code and that stderr holds one sentence with the given part.
func checkError(t *testing.T, r result, code int, part string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	line, ok := strings.CutSuffix(r.errOut, "\n")
	sentence, prefixed := strings.CutPrefix(line, "spgd: ")
	if !ok || !prefixed || strings.Contains(line, "\n") || sentence == "" {
		t.Errorf("stderr is not one line that begins with \"spgd: \":\n%s", r.errOut)
	}
	if !strings.Contains(sentence, part) {
		t.Errorf("the message is %q, want %q in it", sentence, part)
	}
	for _, name := range packageNames {
		if strings.Contains(line, ": "+name+": ") {
			t.Errorf("the message names package %s: %q", name, line)
		}
	}
}

// TestErrorJSON: with --json an error is an object on stdout as well.
func TestErrorJSON(t *testing.T) {
	dir := errorFiles(t)
	for _, c := range errorCases {
		switch c.name {
		case "unknown command", "unknown flag", "zero steps", "truncated image", "truncated checkpoint", "diverging step size", "missing folder":
		default:
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			r := invoke(t, append(command(dir, c.args), "-q", "--json")...)
			checkError(t, r, c.code, c.message)
			var v struct {
				Error struct {
					Code    int
					Message string
				}
			}
			d := json.NewDecoder(strings.NewReader(r.out))
			d.DisallowUnknownFields()
			if err := d.Decode(&v); err != nil {
				t.Fatalf("stdout is not the object: %v\n%s", err, r.out)
			}
			if v.Error.Code != c.code || "spgd: "+v.Error.Message+"\n" != r.errOut {
				t.Errorf("the object says %+v, stderr %q", v.Error, r.errOut)
			}
			if d.More() {
				t.Errorf("stdout holds more than one object: %s", r.out)
			}
		})
	}
}

// TestInterrupted: when the context ends, a command stops without an output.
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	photo := filepath.Join(dir, "photo.png")
	writeImage(t, photo, testImage(32, 32, 3), imageio.WriteOptions{})
	before := listing(t, dir)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, args := range []string{denoise, degrade, "degrade --task denoise photo.png -o out.safetensors", "compare photo.png photo.png"} {
		checkError(t, invokeContext(t, ended, append(command(dir, args), "-q")...), exitInterrupted, "interrupted")
	}

	// In the middle of the sampling: the context ends at the first progress line.
	running, cancel := context.WithCancel(context.Background())
	defer cancel()
	var out bytes.Buffer
	stderr := writerFunc(func(p []byte) (int, error) {
		if strings.HasPrefix(string(p), "step 1 of") {
			cancel()
		}
		return len(p), nil
	})
	if code := run(running, command(dir, denoise+"--steps 5 --checkpoint-every 0"), &out, stderr); code != exitInterrupted || out.Len() > 0 {
		t.Errorf("interrupted while sampling: exit code %d, stdout %q", code, out.String())
	}
	if !maps.Equal(before, listing(t, dir)) {
		t.Error("the files have changed")
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestResultNotWritable: a full device as stdout is an output error.
func TestResultNotWritable(t *testing.T) {
	full := writerFunc(func([]byte) (int, error) { return 0, os.ErrClosed })
	var stderr bytes.Buffer
	code := run(context.Background(), []string{"priors"}, full, &stderr)
	checkError(t, result{code, "", stderr.String()}, exitOutput, "cannot write")
}

// TestSeparateProcess: what only a process of its own can show.
func TestSeparateProcess(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	photo, big := filepath.Join(dir, "photo.png"), filepath.Join(dir, "big.png")
	writeImage(t, photo, testImage(32, 32, 3), imageio.WriteOptions{})
	writeImage(t, big, solid(1500, 1500, 0), imageio.WriteOptions{})
	huge := filepath.Join(dir, "huge.png")
	writeBytes(t, huge, hugePNG(t, 10000))
	before := listing(t, dir)
	process := func(name string, arg []string, env ...string) result {
		cmd := exec.Command(name, arg...)
		cmd.Env = append(append(os.Environ(), "SPGD_TEST_AS_PROGRAM=1"), env...)
		var out, errOut bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errOut
		if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
	}
	t.Run("unknown instruction set", func(t *testing.T) {
		checkError(t, process(program, []string{"version"}, "SPGD_ISA=sse9"), exitUsage, "SPGD_ISA")
	})
	t.Run("portable instruction set", func(t *testing.T) {
		if r := process(program, []string{"version"}, "SPGD_ISA=portable"); r.code != exitOK || !strings.Contains(r.out, "portable") {
			t.Errorf("exit code %d, stdout %q, stderr %q", r.code, r.out, r.errOut)
		}
	})
	t.Run("bf16 on a processor without it", func(t *testing.T) {
		checkError(t, process(program, append(command(dir, denoise), "--precision", "bf16"), "SPGD_ISA=portable"), exitUsage, "AVX-512 BF16")
	})
	t.Run("unknown convolution", func(t *testing.T) {
		checkError(t, process(program, command(dir, denoise), "SPGD_CONV=magic"), exitUsage, "SPGD_CONV")
	})
	t.Run("picture from a pipe", func(t *testing.T) {
		if runtime.GOOS != "linux" {
			t.Skip("/dev/stdin")
		}
		script := `cat "$1" | "$0" degrade --task denoise /dev/stdin -o "$1.copy.png" && "$0" compare "$1" "$1.copy.png"`
		if r := process("sh", []string{"-c", script, program, photo}); r.code != exitOK || !strings.Contains(r.out, "+Inf") {
			t.Errorf("exit code %d: %s%s", r.code, r.out, r.errOut)
		}
		script = `cat "$1" | "$0" restore --task denoise --steps 1 --warmup 1 -q /dev/stdin -o "$1.copy.png" && rm "$1.copy.png"`
		if r := process("sh", []string{"-c", script, program, photo}); r.code != exitOK {
			t.Errorf("exit code %d: %s", r.code, r.errOut)
		}
	})
	t.Run("too little memory", func(t *testing.T) {
		if runtime.GOOS != "linux" {
			t.Skip("the limit on the address space is set by Linux's shells")
		}
		limited := func(picture string, extra string) result {
			script := `ulimit -v 4000000 && exec "$0" restore --task denoise --steps 1 --warmup 1 -q ` + extra + ` -o "$1.out.png" "$1"`
			return process("sh", []string{"-c", script, program, picture})
		}
		r := limited(big, "--tile off") // in tiles it fits
		if strings.Contains(r.errOut, "ulimit") || math.MaxInt == math.MaxInt32 {
			t.Skipf("the limit cannot be set: %s", r.errOut)
		}
		checkError(t, r, exitMemory, "not enough memory")
		if !maps.Equal(before, listing(t, dir)) {
			t.Error("the files have changed")
		}
		checkError(t, limited(huge, ""), exitMemory, "not enough memory") // when it is read
		if r := limited(photo, ""); r.code != exitOK {
			t.Errorf("a small image under the same limit: exit code %d: %s", r.code, r.errOut)
		}
	})
}

// hugePNG is a black picture of side x side bits, small as a file.
func hugePNG(t *testing.T, side int) []byte {
	t.Helper()
	img := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.Black, color.White})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
