package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestLockFolder: one process has a folder, another is told which, and the lock goes with the process that is killed.
func TestLockFolder(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, LockName)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childLocks+"="+dir)
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	signed := func() bool { st, err := os.Stat(name); return err == nil && st.Size() > 0 }
	for deadline := time.Now().Add(20 * time.Second); !signed() && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	_, err := LockFolder(dir)
	var held *HeldError
	host, _ := os.Hostname()
	if !errors.As(err, &held) || held.PID != child.Process.Pid || held.Host != host || held.Folder != dir {
		t.Errorf("%+v, want that process %d on %q has %s", err, child.Process.Pid, host, dir)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	child.Wait()
	if !signed() {
		t.Errorf("the killed process left no %s: nothing is tested", LockName)
	}
	for range 2 {
		l, err := LockFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := LockFolder(dir); !errors.As(err, &held) || held.PID != os.Getpid() {
			t.Errorf("locked twice: %v", err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s stays: %v", LockName, err)
		}
	}
	if _, err := LockFolder(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// What is no signature names nobody.
func TestLockFolderUnsigned(t *testing.T) {
	for _, text := range []string{"", "12 host", "x host\n", "-3 host\n", "12 ho\x1b[31mst\n", "0 \n"} {
		dir := t.TempDir()
		f, err := os.Create(filepath.Join(dir, LockName))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if !lock(f) {
			t.Fatal("a new file is locked")
		}
		var held *HeldError
		if _, err := LockFolder(dir); !errors.As(err, &held) || held.PID != 0 || held.Host != "" {
			t.Errorf("%q: %+v", text, held)
		}
	}
}
