//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package imageio

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// writerEnv makes TestMain write half a file and wait to be killed.
const writerEnv = "SPGD_TEST_HALF_A_FILE"

func TestMain(m *testing.M) {
	if path := os.Getenv(writerEnv); path != "" {
		WriteFileAtomic(path, func(w io.Writer) error {
			w.Write(bytes.Repeat([]byte{'x'}, 1<<17))
			fmt.Println("half")
			select {}
		})
	}
	os.Exit(m.Run())
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// TestStaleFiles: what a killed process leaves is removed by the next check of the directory, and
// nothing else is: not the file of a process that still writes, not a file of another name.
func TestStaleFiles(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out.png")
	start := func() *exec.Cmd {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), writerEnv+"="+out)
		stdout, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(stdout, make([]byte, len("half"))); err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, name := range []string{".spgd-notes", "spgd-1-0.tmp", ".other.tmp"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	killed, alive := start(), start()
	before := names(t, dir)
	if len(before) != 5 {
		t.Fatalf("the folder holds %q before the kill", before)
	}
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed.Wait()
	if got := names(t, dir); !slices.Equal(got, before) {
		t.Errorf("the killed process left %q, so that there is nothing to test", got)
	}
	if err := CheckWritable(out); err != nil {
		t.Fatal(err)
	}
	mine := fmt.Sprintf(".spgd-%d-0.tmp", alive.Process.Pid)
	if got, want := names(t, dir), []string{".other.tmp", mine, ".spgd-notes", "spgd-1-0.tmp"}; !slices.Equal(got, want) {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
	alive.Process.Kill()
	alive.Wait()
	if err := CheckWritable(out); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); slices.Contains(got, mine) {
		t.Errorf("the folder holds %q", got)
	}
}

// TestWritersSideBySide: checks that remove stale files never take those of a writer, however the two
// meet.
func TestWritersSideBySide(t *testing.T) {
	dir := t.TempDir()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			out := filepath.Join(dir, fmt.Sprint(i))
			for k := range 100 {
				content := fmt.Sprint(i, k)
				err := WriteFileAtomic(out, func(w io.Writer) error {
					_, err := io.WriteString(w, content)
					return err
				})
				if err == nil {
					err = CheckWritable(out)
				}
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := os.ReadFile(out); err != nil || string(got) != content {
					t.Errorf("%s holds %q, want %q (%v)", out, got, content, err)
				}
			}
		})
	}
	group.Wait()
	if got := names(t, dir); len(got) != 8 {
		t.Errorf("the folder holds %q", got)
	}
}
