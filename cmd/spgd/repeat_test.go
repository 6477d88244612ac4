package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// repeatFiles fills a folder with what the repetitions need.
func repeatFiles(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	p3, err := os.ReadFile("../../internal/icc/testdata/p3-para3.icc")
	if err != nil {
		t.Fatal(err)
	}
	writeImage(t, in("photo.png"), testImage(32, 24, 3), imageio.WriteOptions{Alpha: testImage(32, 24, 1)})
	writeImage(t, in("wide.png"), testImage(32, 24, 3), imageio.WriteOptions{Profile: p3, Depth: 16})
	writeImage(t, in("grey.png"), testImage(32, 24, 1), imageio.WriteOptions{})
	writeImage(t, in("other.png"), testImage(24, 32, 3), imageio.WriteOptions{})
	mask := solid(32, 24, 1)
	for i := 300; i < 400; i++ {
		mask.Pix[i] = -1
	}
	writeImage(t, in("mask.png"), mask, imageio.WriteOptions{})
	mask.Pix[500] = -1
	writeImage(t, in("hole.png"), mask, imageio.WriteOptions{})
	kernel := imageio.New(3, 3, 1)
	for i := range kernel.Pix {
		kernel.Pix[i] = float32(i)/8 - 0.5
	}
	writeImage(t, in("kernel.png"), kernel, imageio.WriteOptions{})
	writeImage(t, in("kernel2.png"), solid(3, 3, 1), imageio.WriteOptions{})
	writeCheckpoint(t, in("tiny.safetensors"), nil)
	mustRun(t, command(dir, "degrade --task phase --noise 0.01 grey.png -o y.safetensors")...)
	return dir
}

const tiny = " --prior tiny.safetensors"

// TestRepeat: --from gives the same bytes, whatever the settings were and with any number of threads.
func TestRepeat(t *testing.T) {
	dir := repeatFiles(t)
	for _, c := range []struct{ made, repeat, out string }{
		{"--task denoise --noise 0.1 --step-size 0.012345678901234567 --seed 18446744073709551615 photo.png", "photo.png" + tiny, "png"},
		{"--task denoise --adm pixel --denoise stale --beta 0.123456789 --sigma-max 33.3 --noise-model poisson wide.png", "wide.png" + tiny, "png"},
		{"--task inpaint --mask mask.png --step-size 0.5 --invert-mask photo.png --depth 16", "photo.png --mask mask.png" + tiny, "png"},
		{"--task inpaint --mask random:0.37 --step-size 0.5 --seed 5 grey.png", "grey.png" + tiny, "png"},
		{"--task deblur --kernel kernel.png photo.png --jpeg-quality 77", "photo.png --kernel kernel.png" + tiny, "jpg"},
		{"--task deblur --kernel motion:5:30 --preset released wide.png", "wide.png" + tiny, "jpeg"},
		{"--task sr --scale 2 grey.png", "grey.png" + tiny, "png"},
		{"--task colorize grey.png", "grey.png" + tiny, "png"},
		{"y.safetensors --seed 3", "y.safetensors" + tiny, "png"},
		{"--task denoise --noise 0.1 photo.png --method dps --set scale=0.123456789012345", "photo.png" + tiny, "png"},
		{"--task hdr other.png --noise 0.01", "other.png" + tiny, "jpg"},
	} {
		t.Run(c.made, func(t *testing.T) {
			a, b := "out-a."+c.out, "out-b."+c.out
			mustRun(t, command(dir, "restore --steps 2 -q -o "+a+tiny+" "+c.made)...)
			first := readBytes(t, filepath.Join(dir, a))
			r := parseRun(t, mustRun(t, command(dir, "restore --json -q --threads 1 --from "+a+" -o "+b+" "+c.repeat)...))
			if r.Repeat == nil || !r.Repeat.Identical || len(r.Repeat.Differences) > 0 {
				t.Errorf("the record says %+v", r.Repeat)
			}
			if !bytes.Equal(first, readBytes(t, filepath.Join(dir, b))) {
				t.Error("the bytes differ")
			}
			// In place, and in words.
			if out := mustRun(t, command(dir, "restore -q --from "+a+" -o "+a+" "+c.repeat)...); !strings.Contains(out, ", identical to ") {
				t.Errorf("stdout %q", out)
			}
			if !bytes.Equal(first, readBytes(t, filepath.Join(dir, a))) {
				t.Error("the bytes differ in place")
			}
		})
	}
}

// edit rewrites the record of a PNG.
func edit(t *testing.T, from, to string, change func(record map[string]any)) {
	t.Helper()
	img, info := readImage(t, from)
	text, err := imageio.ReadMetadata(from)
	if err != nil {
		t.Fatal(err)
	}
	var record map[string]any
	d := json.NewDecoder(strings.NewReader(text[report.MetadataKey]))
	d.UseNumber()
	if err := d.Decode(&record); err != nil {
		t.Fatal(err)
	}
	change(record)
	data, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	writeImage(t, to, img, imageio.WriteOptions{Alpha: info.Alpha, Metadata: map[string]string{report.MetadataKey: string(data)}})
}

// TestRepeatErrors: another input, another program, or settings beside --from are refused in a
// sentence, and leave the files as they were.
func TestRepeatErrors(t *testing.T) {
	dir := repeatFiles(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	made := func(name, args string) {
		mustRun(t, append(command(dir, "restore --steps 1 --warmup 1 -q"+tiny+" "+args), "-o", in(name))...)
	}
	made("a.png", "--task denoise photo.png")
	made("masked.png", "--task inpaint --mask mask.png photo.png --step-size 0.5")
	made("blurred.png", "--task deblur --kernel kernel.png photo.png")
	made("measured.png", "y.safetensors")
	field := func(group, name string, value any) func(map[string]any) {
		return func(record map[string]any) {
			m := record
			if group != "" {
				m, _ = record[group].(map[string]any)
				if m == nil {
					m = map[string]any{}
					record[group] = m
				}
			}
			m[name] = value
		}
	}
	edit(t, in("a.png"), in("isa.png"), field("engine", "isa", "sse9"))
	edit(t, in("a.png"), in("version.png"), field("program", "version", "v9.9.9"))
	edit(t, in("a.png"), in("engine.png"), field("engine", "name", "cuda"))
	edit(t, in("a.png"), in("future.png"), field("padded", "width", 4096))
	edit(t, in("a.png"), in("painted.png"), func(map[string]any) {}) // the same record in other bytes
	edit(t, in("a.png"), in("degraded.png"), field("", "command", "degrade"))
	edit(t, in("a.png"), in("schema.png"), field("", "schema", 99))
	edit(t, in("a.png"), in("old.png"), field("input", "sha256", ""))
	edit(t, in("a.png"), in("steps.png"), field("sampler", "steps", -1))
	edit(t, in("a.png"), in("spy.png"), field("task_settings", "mask", "/etc/hostname"))
	edit(t, in("a.png"), in("spy2.png"), func(r map[string]any) {
		r["task"] = "inpaint"
		field("task_settings", "mask", "/etc/hostname")(r)
	})
	edit(t, in("a.png"), in("prior.png"), field("prior", "name", "/etc/hostname"))

	for _, c := range []errorCase{
		{"instruction set", "a photo.png --from isa.png" + tiny, exitDifferent, `engine.isa is `},
		{"version", "a photo.png --from version.png" + tiny, exitDifferent, `"v9.9.9" in`},
		{"engine", "a photo.png --from engine.png" + tiny, exitDifferent, `"cuda" in`},
		{"a setting that is not a flag", "a photo.png --from future.png" + tiny, exitDifferent, "padded.width is 24 here and 4096"},
		{"another picture", "a photo.png --from painted.png" + tiny, exitDifferent, "not " + in("painted.png") + " to the byte"},
		{"another input", "a other.png --from a.png" + tiny, exitInput, "is not the input that"},
		{"a measurement for a picture", "a y.safetensors --from a.png" + tiny, exitInput, "only one of them is a measurement"},
		{"a picture for a measurement", "a photo.png --from measured.png" + tiny, exitInput, "only one of them is a measurement"},
		{"another mask", "a photo.png --from masked.png --mask hole.png" + tiny, exitInput, "is not the mask that"},
		{"no mask", "a photo.png --from masked.png" + tiny, exitUsage, "give it with --mask"},
		{"a mask too many", "a photo.png --from a.png --mask mask.png" + tiny, exitUsage, "without a mask file"},
		{"a mask for a measurement", "a y.safetensors --from measured.png --mask mask.png" + tiny, exitUsage, "measurement file"},
		{"another kernel", "a photo.png --from blurred.png --kernel kernel2.png" + tiny, exitInput, "is not the kernel that"},
		{"no kernel", "a photo.png --from blurred.png" + tiny, exitUsage, "give it with --kernel"},
		{"another prior", "a photo.png --from a.png --prior natural-small", exitCheckpoint, "is not the prior that"},
		{"no prior", "a photo.png --from a.png", exitUsage, "--prior"},
		{"a prior that is a path", "a photo.png --from prior.png", exitUsage, "--prior"},
		{"another format", "a.jpg photo.png --from a.png" + tiny, exitUsage, "another kind"},
		{"steps", "a photo.png --from a.png --steps 5" + tiny, exitUsage, "--steps is not for --from"},
		{"seed", "a photo.png --from a.png --seed 5" + tiny, exitUsage, "--seed is not for --from"},
		{"task", "a photo.png --from a.png --task sr" + tiny, exitUsage, "--task is not for --from"},
		{"precision", "a photo.png --from a.png --precision f32" + tiny, exitUsage, "--precision is not for --from"},
		{"no record", "a photo.png --from photo.png" + tiny, exitInput, "does not hold the settings"},
		{"a record of degrade", "a photo.png --from degraded.png" + tiny, exitInput, "made by spgd degrade"},
		{"a newer record", "a photo.png --from schema.png" + tiny, exitInput, "schema 99"},
		{"an older record", "a photo.png --from old.png" + tiny, exitInput, "not complete enough"},
		{"settings out of range", "a photo.png --from steps.png" + tiny, exitInput, "-1 steps"},
		{"a path in the record", "a photo.png --from spy2.png" + tiny, exitInput, "which a record never does"},
		{"a mask in the record of another task", "a photo.png --from spy.png" + tiny, exitInput, "mask"},
		{"no file", "a photo.png --from absent.png" + tiny, exitInput, "no such file"},
		{"no picture", "a photo.png --from tiny.safetensors" + tiny, exitInput, "tiny.safetensors"},
		{"without --from", "a --task denoise photo.png --allow-different" + tiny, exitUsage, "--from"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := listing(t, dir)
			out, args, _ := strings.Cut(c.args, " ")
			if filepath.Ext(out) == "" {
				out = "out.png"
			}
			r := invoke(t, append([]string{"restore", "-q", "-o", in(out)}, command(dir, args)...)...)
			checkError(t, r, c.code, c.message)
			if !maps.Equal(before, listing(t, dir)) {
				t.Error("the files have changed")
			}
		})
	}

	// What cannot be the same is made all the same if that is wanted.
	for _, name := range []string{"isa.png", "painted.png"} {
		r := invoke(t, command(dir, "restore --json -q --allow-different -o out.png photo.png --from "+name+tiny)...)
		if r.code != exitOK {
			t.Fatalf("%s: exit code %d: %s", name, r.code, r.errOut)
		}
		if warned := strings.Contains(r.errOut, "engine.isa"); warned != (name == "isa.png") {
			t.Errorf("%s: stderr %q", name, r.errOut)
		}
		if v := parseRun(t, r.out).Repeat; v == nil || v.Identical {
			t.Errorf("%s: the record says %+v", name, v)
		}
		got, _ := readImage(t, in("out.png"))
		want, _ := readImage(t, in("a.png"))
		if rms(got, want) != 0 {
			t.Errorf("%s: other pixels", name)
		}
	}
	if v := parseRun(t, mustRun(t, command(dir, "restore --json -q --allow-different -o out.png photo.png --from a.png"+tiny)...)).Repeat; !v.Identical {
		t.Errorf("nothing differs and the record says %+v", v)
	}
}

// TestRecordHoldsEverySetting: a setting of the sampler that the record leaves out could not be
// repeated.
func TestRecordHoldsEverySetting(t *testing.T) {
	want := spgd.Settings{}
	v := reflect.ValueOf(&want).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Int:
			f.SetInt(int64(3 + i))
		case reflect.Float64:
			f.SetFloat(1 / float64(3+i))
		}
	}
	want.SigmaMax, want.ADM, want.Denoise = 77.7, sampler.ADMPixel, sampler.DenoiseStale
	r := report.New("restore")
	r.Sampler = samplerRecord("default", want, stepSizeGiven)
	r.Prior, r.Input, r.Output = &report.Prior{Name: defaultPrior}, &report.File{}, &report.File{Format: "png", BitDepth: 8}
	r.TaskSettings, r.Task = &report.TaskSettings{}, "denoise"
	text, err := r.Compact()
	if err != nil {
		t.Fatal(err)
	}
	back, err := report.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var o restoreOptions
	cmd := newRestoreCommand(newConsole(&bytes.Buffer{}, &bytes.Buffer{}))
	o.output.path = "x.png"
	got, _, err := (&earlier{path: "x.png", run: back}).apply(&o, cmd.Flags())
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("read back %+v, want %+v", got, want)
	}
}

// TestFidelity: what a picture file has beside its colours is in the result.
func TestFidelity(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	writeCheckpoint(t, in("tiny.safetensors"), nil)
	profile := func(name string) []byte { return readBytes(t, "../../internal/icc/testdata/"+name) }
	exif := []byte("MM\x00*\x00\x00\x00\x08\x00\x02\x01\x00\x00\x04\x00\x00\x00\x01\x00\x00\x00\x18\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00")
	alpha := testImage(18, 24, 1)
	write := func(name string, m *imageio.Image, o imageio.WriteOptions) {
		o.EXIF = exif
		writeImage(t, in(name), m, o)
	}
	write("rgb.png", testImage(18, 24, 3), imageio.WriteOptions{Depth: 16, Profile: profile("p3-para3.icc")})
	write("rgb.jpg", testImage(18, 24, 3), imageio.WriteOptions{Profile: profile("adobe-gamma.icc")})
	write("grey.png", testImage(18, 24, 1), imageio.WriteOptions{Profile: profile("gray-gamma.icc"), Alpha: alpha})
	write("srgb.png", testImage(18, 24, 3), imageio.WriteOptions{Profile: profile("srgb-table.icc"), Alpha: alpha})
	for _, c := range []struct {
		args, out     string
		profile       string
		depth         int
		alpha, grey   bool
		width, height int
		warning       string
	}{
		{"--task denoise rgb.png", "out.png", "p3-para3.icc", 16, false, false, 18, 24, ""},
		{"--task denoise rgb.png --depth 8", "out.png", "p3-para3.icc", 8, false, false, 18, 24, ""},
		{"--task denoise rgb.png", "out.jpg", "p3-para3.icc", 8, false, false, 18, 24, ""},
		{"--task denoise rgb.jpg", "out.png", "adobe-gamma.icc", 8, false, false, 18, 24, ""},
		{"--task sr --scale 2 rgb.jpg", "out.jpg", "adobe-gamma.icc", 8, false, false, 36, 48, ""},
		{"--task denoise grey.png", "out.png", "gray-gamma.icc", 8, true, true, 18, 24, ""},
		{"--task sr --scale 2 grey.png", "out.png", "gray-gamma.icc", 8, true, true, 36, 48, ""},
		{"--task colorize grey.png", "out.png", "", 8, true, false, 18, 24, "is for grey pictures"},
		{"--task denoise srgb.png", "out.png", "srgb-table.icc", 8, true, false, 18, 24, ""},
	} {
		t.Run(c.args+" "+c.out, func(t *testing.T) {
			for _, args := range []string{"restore --steps 1 --warmup 1 --prior tiny.safetensors " + c.args, "degrade " + c.args} {
				degrade := strings.HasPrefix(args, "degrade")
				if degrade && !strings.Contains(c.args, "denoise") {
					continue
				}
				r := invoke(t, command(dir, args+" -q -o "+c.out)...)
				if r.code != exitOK || (r.errOut != "") != (c.warning != "") || !strings.Contains(r.errOut, c.warning) {
					t.Fatalf("exit code %d, stderr %q", r.code, r.errOut)
				}
				img, info := readImage(t, in(c.out))
				var want []byte
				if c.profile != "" {
					want = profile(c.profile)
				}
				if !bytes.Equal(info.Profile, want) || info.BitDepth != c.depth || info.HasAlpha != c.alpha || info.Gray != c.grey || info.Orientation != 1 {
					t.Errorf("%s: written as profile %q, %d bits, alpha %t, grey %t, orientation %d", args, info.ProfileName, info.BitDepth, info.HasAlpha, info.Gray, info.Orientation)
				}
				if img.Width != c.width || img.Height != c.height {
					t.Errorf("%s: size %dx%d", args, img.Width, img.Height)
				}
				if len(info.EXIF) != len(exif) || info.EXIF[21] != byte(c.width) {
					t.Errorf("%s: EXIF % x", args, info.EXIF)
				}
				text, err := imageio.ReadMetadata(in(c.out))
				if err != nil {
					t.Fatal(err)
				}
				record, err := report.Parse([]byte(text[report.MetadataKey]))
				if err != nil || len(record.Input.SHA256) != 64 || (record.Output.Profile != "") != (c.profile != "") || record.Program.Version == "" {
					t.Errorf("%s: record %+v (%v)", args, record, err)
				}
				if !degrade && (len(record.Prior.SHA256) != 64 || record.Engine.Name == "" || record.Engine.ISA == "" || record.Sampler.Steps != 1) {
					t.Errorf("%s: record %+v", args, record)
				}
			}
		})
	}
}

// TestWideGamut: colours that sRGB lacks go through a degradation without noise unchanged.
func TestWideGamut(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	p3 := readBytes(t, "../../internal/icc/testdata/p3-para3.icc")
	wide := imageio.New(16, 16, 3)
	for i := range wide.Pix {
		wide.Pix[i] = 1.6*float32(i%3) - 1.3 // from below black to above white in sRGB
	}
	writeImage(t, in("wide.png"), wide, imageio.WriteOptions{Profile: p3, Depth: 16})
	photo, _ := readImage(t, in("wide.png"))
	if photo.Pix[2] <= 1 {
		t.Fatalf("the test picture has %v", photo.Pix[:3])
	}
	r := invoke(t, command(dir, "degrade --task denoise wide.png -o y.png -q")...)
	if r.code != exitOK || r.errOut != "" {
		t.Fatalf("exit code %d, stderr %q", r.code, r.errOut)
	}
	y, _ := readImage(t, in("y.png"))
	if d := rms(photo, y); d > 1e-5 {
		t.Errorf("the colours have changed by %g", d)
	}
}

// TestExtremeShapes: pictures of any shape are restored and repeated.
func TestExtremeShapes(t *testing.T) {
	dir := t.TempDir()
	writeCheckpoint(t, filepath.Join(dir, "tiny.safetensors"), nil)
	for _, c := range []struct {
		height, width int
		prior         string // the tiny one attends to all pixels at once
	}{{1, 1, tiny}, {1, 13, tiny}, {29, 1, tiny}, {7, 5000, ""}} {
		writeImage(t, filepath.Join(dir, "y.png"), testImage(c.height, c.width, 3), imageio.WriteOptions{Depth: 16})
		r := parseRun(t, mustRun(t, command(dir, "restore --task denoise --steps 1 --warmup 1 -q --json y.png -o out.png"+c.prior)...))
		img, info := readImage(t, filepath.Join(dir, "out.png"))
		if img.Height != c.height || img.Width != c.width || info.BitDepth != 16 || math.IsNaN(float64(r.DataFit.ResidualRMS)) {
			t.Errorf("%dx%d became %dx%d", c.width, c.height, img.Width, img.Height)
		}
		if c.prior != "" {
			mustRun(t, command(dir, "restore -q y.png -o out.png --from out.png"+c.prior)...)
		}
	}
}

// FuzzRecord: whatever a picture says made it, the flags are set or there is an error, and no file is
// named that the user has not named.
func FuzzRecord(f *testing.F) {
	r := report.New("restore")
	r.Sampler = samplerRecord("default", spgd.DefaultSettings(), stepSizeGiven)
	r.Prior, r.Input, r.Output = &report.Prior{Name: defaultPrior}, &report.File{SHA256: "00"}, &report.File{Format: "png", BitDepth: 8}
	r.TaskSettings, r.Task = &report.TaskSettings{Mask: "random:0.5"}, "inpaint"
	inpaint, err := r.Compact()
	if err != nil {
		f.Fatal(err)
	}
	r.Task, r.TaskSettings = "deblur", &report.TaskSettings{Kernel: "motion:5:30"}
	r.Sampler = &report.Sampler{Name: "dps", Steps: 3, Parameters: map[string]any{"scale": 0.5, "steps": 3}}
	deblur, err := r.Compact()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(inpaint)
	f.Add(deblur)
	cmd := newRestoreCommand(newConsole(&bytes.Buffer{}, &bytes.Buffer{}))
	f.Fuzz(func(t *testing.T, record string) {
		again, err := newEarlier("x.png", "00", map[string]string{report.MetadataKey: record})
		if err != nil {
			return
		}
		o := restoreOptions{output: outputOptions{path: "x.png"}}
		if _, _, err := again.apply(&o, cmd.Flags()); err != nil {
			return
		}
		if _, mask := o.task.MaskFile(); mask {
			t.Fatalf("the mask is the file %q", o.task.Mask)
		}
		if _, kernel := o.task.KernelFile(); kernel {
			t.Fatalf("the kernel is the file %q", o.task.Kernel)
		}
		if o.prior != defaultPrior {
			t.Fatalf("the prior is %q", o.prior)
		}
	})
}
