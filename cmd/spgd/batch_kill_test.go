package main

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-0f004ec9/spgd/imageio"
)

// TestBatchKilled: a batch that is killed at random moments and started again ends in the files of an
// undisturbed one, with nothing else beside them.
func TestBatchKilled(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps files of a killed process open for a while")
	}
	pictures, rounds := 20, 3
	if testing.Short() {
		pictures, rounds = 5, 1
	}
	dir := t.TempDir()
	for i := range pictures {
		ext := []string{".png", ".jpg"}[i%2]
		writeImage(t, filepath.Join(dir, fmt.Sprintf("in%02d%s", i, ext)), testImage(16, 16+8*(i%3), 3), imageio.WriteOptions{})
	}
	prior := filepath.Join(t.TempDir(), "tiny.safetensors")
	writeCheckpoint(t, prior, nil)
	args := func(out string) []string {
		// A checkpoint after every step, so that kills meet their writing too.
		return slices.Concat([]string{"restore", dir, "-o", out, "-q", "--checkpoint-every", "1ns", "--threads", "1", "--prior", prior}, denoising, []string{"--steps", "6"})
	}
	killBatches(t, pictures, rounds, args, func(a, b string) bool { return bytes.Equal(readBytes(t, a), readBytes(t, b)) })
}

// TestFolderOnDeviceKilled: the same of batches on an accelerator, where the record says in which company a picture was
// restored.
func TestFolderOnDeviceKilled(t *testing.T) {
	const pictures = 5
	dir, command := deviceFolder(t, pictures-1)
	writeImage(t, filepath.Join(dir, "other.png"), testImage(16, 24, 3), imageio.WriteOptions{})
	args := func(out string) []string {
		return slices.Concat(command, []string{"-o", out, "-q", "--checkpoint-every", "1ns"})
	}
	plugin := strings.TrimPrefix(command[slices.Index(command, "--device")+1], "xla:")
	killBatches(t, pictures, 2, args, func(a, b string) bool { return levels(t, a, b) == 0 }, "SPGD_TEST_AS_PROGRAM=keep", pluginEnv+"="+plugin)
}

// killBatches kills batches of pictures, rounds of them, and starts each again until it comes to its end. args is the command
// line for a folder of outputs, and same says whether two files hold the same result.
func killBatches(t *testing.T, pictures, rounds int, args func(out string) []string, same func(a, b string) bool, environment ...string) {
	t.Helper()
	whole := t.TempDir()
	mustRun(t, args(whole)...)
	want := sortedNames(results(t, whole))
	if len(want) != pictures {
		t.Fatalf("%d results", len(want))
	}
	random := rand.New(rand.NewPCG(20, 6))
	kills, resumed := 0, 0
	for range rounds {
		out := filepath.Join(t.TempDir(), "out")
		for done := false; !done; {
			c := exec.Command(os.Args[0], args(out)...)
			c.Env = append(append(os.Environ(), "SPGD_TEST_AS_PROGRAM=1"), environment...)
			var stderr bytes.Buffer
			c.Stderr = &stderr
			stdout, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			// The moment is counted from a picture that is done, or from the start: time alone would let
			// a slow machine come to nothing.
			after, wait := random.IntN(4), time.Duration(random.IntN(200))*time.Millisecond
			if after == 0 {
				kill(c, wait)
			}
			for lines := bufio.NewScanner(stdout); lines.Scan(); {
				if strings.Contains(lines.Text(), "resumed after step") {
					resumed++
				}
				if strings.Contains(lines.Text(), "evaluations") {
					if after--; after == 0 {
						kill(c, wait)
					}
				}
			}
			if err := c.Wait(); err == nil {
				done = true
			} else if c.ProcessState.Exited() {
				t.Fatalf("%v: %s", err, stderr.String())
			} else {
				kills++
			}
			// What is there is whole at any moment.
			if _, err := os.Stat(out); err != nil {
				continue // not made yet
			}
			for name := range results(t, out) {
				if !strings.HasPrefix(name, ".") && !strings.Contains(name, checkpointExtension) && !same(filepath.Join(out, name), filepath.Join(whole, name)) {
					t.Fatalf("after %d kills, %s is not what an undisturbed run makes", kills, name)
				}
			}
		}
		if got := sortedNames(results(t, out)); !slices.Equal(got, want) {
			t.Errorf("after %d kills the folder holds %q, want %q", kills, got, want)
		}
		done := map[string]bool{}
		for _, e := range entries(t, filepath.Join(out, batchLog)) {
			done[e.Input] = done[e.Input] || e.Status == statusDone || e.Status == statusSkipped
		}
		if len(done) != pictures {
			t.Errorf("the log tells of %d pictures", len(done))
		}
	}
	t.Logf("%d kills, %d pictures went on from a checkpoint", kills, resumed)
	if kills < rounds {
		t.Errorf("only %d kills", kills)
	}
}

// kill kills a process after some time, while its output is read.
func kill(c *exec.Cmd, wait time.Duration) {
	time.AfterFunc(wait, func() { _ = c.Process.Kill() }) // it may have ended
}
