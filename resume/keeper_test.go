package resume_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/resume"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// keep runs four steps with a keeper and returns the steps after which the file is new, and the error.
func keep(t *testing.T, k *resume.Keeper, c *sampler.Checkpoint, after func(step int)) (written []int, err error) {
	t.Helper()
	op := build(t, operator.Task{Name: "sr", Scale: 4})
	k.Record = resume.Record(newEngine(t))
	last := ""
	look := sampler.ObserverFunc(func(s *sampler.Snapshot) error {
		if b, err := os.ReadFile(k.Path); err == nil && string(b) != last {
			last = string(b)
			written = append(written, s.K)
		}
		if after != nil {
			after(s.K)
		}
		return nil
	})
	_, err = newDriver(t, op, 0.1).Run(context.Background(), method(t, "spgd", op, nil), sampler.Job{
		Y: measurement(op, 1), Seed: 3, Resume: c, Observers: []sampler.Observer{k, look},
	})
	return written, err
}

func TestKeeperInterval(t *testing.T) {
	for _, c := range []struct {
		every time.Duration
		want  []int
	}{{time.Nanosecond, []int{0, 1, 2, 3}}, {0, nil}, {time.Hour, nil}} {
		k := &resume.Keeper{Path: filepath.Join(t.TempDir(), "a"), Every: c.every}
		if c.every == time.Nanosecond {
			k.SetClock(func() time.Time { return time.Unix(0, 0) }) // writing takes no time
		}
		written, err := keep(t, k, nil, nil)
		if err != nil || !slices.Equal(written, c.want) {
			t.Errorf("every %v: written after %v (%v), want %v", c.every, written, err, c.want)
		}
	}
	// Where writing takes long, it is done once, unless it may take all of the time.
	for share, want := range map[float64][]int{0: {0}, 0.5: {0}} {
		k := &resume.Keeper{Path: filepath.Join(t.TempDir(), "a"), Every: time.Nanosecond, Share: share}
		now := time.Unix(0, 0)
		k.SetClock(func() time.Time { now = now.Add(time.Hour); return now })
		if written, err := keep(t, k, nil, nil); err != nil || !slices.Equal(written, want) {
			t.Errorf("an hour for each and a share of %g: written after %v (%v), want %v", share, written, err, want)
		}
	}
	k := &resume.Keeper{Path: filepath.Join(t.TempDir(), "a"), Every: time.Nanosecond, Share: 1}
	if written, err := keep(t, k, nil, nil); err != nil || !slices.Equal(written, []int{0, 1, 2, 3}) {
		t.Errorf("without a limit: written after %v (%v)", written, err)
	}
}

// A run that goes on counts the interval from there, not from its first start.
func TestKeeperAfterResume(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	k := &resume.Keeper{Path: path, Every: time.Nanosecond}
	stop := make(chan struct{})
	close(stop)
	k.Stop = stop
	if _, err := keep(t, k, nil, nil); !errors.Is(err, resume.ErrStopped) {
		t.Fatal(err)
	}
	f, err := resume.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Run.Elapsed += 10 * time.Hour
	again := &resume.Keeper{Path: filepath.Join(t.TempDir(), "b"), Every: time.Hour}
	if written, err := keep(t, again, f.Run, nil); err != nil || written != nil {
		t.Errorf("written after %v (%v), want never", written, err)
	}
}

// Stop ends the run after the step, with its checkpoint, but for the last.
func TestKeeperStop(t *testing.T) {
	for step := range 4 {
		stop := make(chan struct{})
		k := &resume.Keeper{Path: filepath.Join(t.TempDir(), "a"), Stop: stop}
		_, err := keep(t, k, nil, func(done int) {
			if done == step-1 {
				close(stop)
			}
		})
		f, loadErr := resume.Load(k.Path)
		if step == 0 {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		if step == 3 { // nothing is left to do
			if err != nil || !errors.Is(loadErr, fs.ErrNotExist) {
				t.Errorf("stopped in the last step: %v, %v", err, loadErr)
			}
			continue
		}
		if !errors.Is(err, resume.ErrStopped) || !strings.Contains(err.Error(), "of 4") {
			t.Errorf("stopped in step %d: %v", step, err)
		}
		if loadErr != nil {
			t.Fatal(loadErr)
		}
		if f.Run.Step != step+1 {
			t.Errorf("stopped in step %d the checkpoint is of %d steps", step, f.Run.Step)
		}
	}
}

func TestKeeperFailure(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "none", "a")
	k := &resume.Keeper{Path: nowhere, Every: time.Nanosecond}
	if _, err := keep(t, k, nil, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without Failed: %v", err)
	}
	told := 0
	k = &resume.Keeper{Path: nowhere, Every: time.Nanosecond, Failed: func(err error) {
		if told++; !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	}}
	k.SetClock(func() time.Time { return time.Unix(0, 0) })
	if _, err := keep(t, k, nil, nil); err != nil || told != 4 {
		t.Errorf("with Failed: %v, told %d times", err, told)
	}
	stop := make(chan struct{})
	close(stop)
	k.Stop = stop
	if _, err := keep(t, k, nil, nil); errors.Is(err, resume.ErrStopped) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("stopped without a checkpoint: %v", err)
	}
}

// The images of a batch are kept in files of their own, of which each goes on alone, and the batch of both.
func TestKeeperImages(t *testing.T) {
	dir := t.TempDir()
	op := build(t, operator.Task{Name: "sr", Scale: 4})
	record := resume.Record(newEngine(t))
	stop := make(chan struct{})
	close(stop)
	k := &resume.Keeper{Stop: stop}
	for _, name := range []string{"a", "b"} { // the third is not kept
		k.Images = append(k.Images, resume.ImageFile{Path: filepath.Join(dir, name), Record: record})
	}
	y := measurement(op, 3)
	job := sampler.Job{Y: y, Seed: 3, Images: []uint32{5, 2, 5}}
	want, err := newDriver(t, op, 0.1).Run(context.Background(), method(t, "spgd", op, nil), job)
	if err != nil {
		t.Fatal(err)
	}
	job.Observers = []sampler.Observer{k}
	if _, err := newDriver(t, op, 0.1).Run(context.Background(), method(t, "spgd", op, nil), job); !errors.Is(err, resume.ErrStopped) {
		t.Fatal(err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 2 {
		t.Errorf("the folder holds %v, %v", files, err)
	}
	pixels, measured := bits(t, want.X), bits(t, y)
	size, entries := len(pixels)/3, len(measured)/3
	var parts []*sampler.Checkpoint
	for i, file := range k.Images {
		f, err := resume.Load(file.Path)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, f.Run.Clone())
		dims := append([]int{1}, y.Shape().Dimensions[1:]...)
		alone := sampler.Job{
			Y: tensors.FromFlatDataAndDimensions(measured[i*entries:][:entries], dims...), Seed: 3, Images: job.Images[i : i+1], Resume: f.Run,
		}
		got, err := newDriver(t, op, 0.1).Run(context.Background(), method(t, "spgd", op, nil), alone)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(bits(t, got.X), pixels[i*size:][:size]) {
			t.Errorf("image %d alone has another result", i)
		}
	}
	again, err := sampler.JoinCheckpoints([]*sampler.Checkpoint{parts[0], parts[1]})
	if err != nil {
		t.Fatal(err)
	}
	pair := sampler.Job{
		Y:    tensors.FromFlatDataAndDimensions(measured[:2*entries], append([]int{2}, y.Shape().Dimensions[1:]...)...),
		Seed: 3, Images: job.Images[:2], Resume: again,
	}
	got, err := newDriver(t, op, 0.1).Run(context.Background(), method(t, "spgd", op, nil), pair)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(bits(t, got.X), pixels[:2*size]) {
		t.Error("both together have another result")
	}
	// A file that cannot be written is an error like that of a single one.
	k.Images[1].Path = filepath.Join(dir, "none", "b")
	if _, err := newDriver(t, op, 0.1).Run(context.Background(), method(t, "spgd", op, nil), job); errors.Is(err, resume.ErrStopped) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file in no folder: %v", err)
	}
}
