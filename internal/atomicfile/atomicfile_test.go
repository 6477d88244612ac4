package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// inEveryWay runs a test with temporary files that have no name, with ones that do, and on a file
// system that makes files without a name and gives them none.
func inEveryWay(t *testing.T, f func(t *testing.T)) {
	noLink := func(*os.File, string) error { return errors.ErrUnsupported }
	for _, way := range []struct {
		name string
		open func(string) (*os.File, error)
		link func(*os.File, string) error
	}{
		{"system", openUnnamed, linkUnnamed},
		{"named", func(string) (*os.File, error) { return nil, errors.ErrUnsupported }, noLink},
		{"no links", openUnnamed, noLink},
	} {
		t.Run(way.name, func(t *testing.T) {
			unnamed, link = way.open, way.link
			defer func() { unnamed, link = openUnnamed, linkUnnamed }()
			f(t)
		})
	}
}

func put(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

// holds checks the content of the only file in a directory.
func holds(t *testing.T, path, want string) {
	t.Helper()
	if b, err := os.ReadFile(path); err != nil || string(b) != want {
		t.Fatalf("file holds %q (%v), want %q", b, err, want)
	}
	onlyFile(t, path)
}

func onlyFile(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != filepath.Base(path) {
			t.Errorf("%s is left in the directory", e.Name())
		}
	}
}

func TestWrite(t *testing.T) {
	inEveryWay(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "out")
		boom := errors.New("boom")
		failing := func(w io.Writer) error { put(strings.Repeat("half", 1<<17))(w); return boom }
		if err := Write(path, failing); !errors.Is(err, boom) {
			t.Fatalf("error %v", err)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("a failed write made the file (%v)", err)
		}
		if err := CheckWritable(path); err != nil {
			t.Fatal(err)
		}
		onlyFile(t, path)
		for _, text := range []string{"one", strings.Repeat("long", 1<<17), ""} {
			if err := Write(path, put(text)); err != nil {
				t.Fatal(err)
			}
			holds(t, path, text)
			if err := Write(path, failing); !errors.Is(err, boom) {
				t.Fatalf("error %v", err)
			}
			if err := CheckWritable(path); err != nil {
				t.Fatal(err)
			}
			holds(t, path, text)
		}
		for range 2 {
			if err := Remove(path); err != nil {
				t.Fatal(err)
			}
			onlyFile(t, path+" is gone")
		}
	})
}

// An error of the disk names neither the temporary file nor the folder that stands for it.
func TestWriteError(t *testing.T) {
	inEveryWay(t, func(t *testing.T) {
		f, err := create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.discard()
		f.file.Close()
		if _, err := f.Write([]byte{1}); !errors.Is(err, fs.ErrClosed) || strings.Contains(err.Error(), "out") || strings.ContainsAny(err.Error(), `/\`) {
			t.Errorf("error %v", err)
		}
	})
}

// Permissions are those of the file before, and for a new one what the umask leaves.
func TestPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits")
	}
	inEveryWay(t, func(t *testing.T) {
		dir := t.TempDir()
		path, plain := filepath.Join(dir, "out"), filepath.Join(dir, "plain")
		if err := Write(path, put("one")); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(plain, os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		a, _ := os.Stat(path)
		b, _ := os.Stat(plain)
		if a.Mode() != b.Mode() {
			t.Errorf("a new file has mode %v, one made in the plain way %v", a.Mode(), b.Mode())
		}
		for _, mode := range []fs.FileMode{0o640, 0o664, 0o600} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			if err := Write(path, put("two")); err != nil {
				t.Fatal(err)
			}
			if st, _ := os.Stat(path); st.Mode().Perm() != mode {
				t.Errorf("mode %v became %v", mode, st.Mode())
			}
		}
		if os.Geteuid() == 0 { // root may write anywhere
			return
		}
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(dir, 0o700)
		if err := CheckWritable(path); !errors.Is(err, os.ErrPermission) {
			t.Errorf("read-only directory: %v", err)
		}
	})
}

// A symbolic link stays one; what is no file is refused.
func TestOtherThanFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need privileges")
	}
	inEveryWay(t, func(t *testing.T) {
		dir, other := t.TempDir(), t.TempDir()
		path, linked := filepath.Join(dir, "out"), filepath.Join(other, "link")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, linked); err != nil {
			t.Fatal(err)
		}
		if err := Write(linked, put("three")); err != nil {
			t.Fatal(err)
		}
		holds(t, path, "three")
		onlyFile(t, linked)
		if st, _ := os.Lstat(linked); st.Mode()&os.ModeSymlink == 0 {
			t.Error("the link was replaced")
		}
		dangling := filepath.Join(other, "dangling")
		if err := os.Symlink(filepath.Join(other, "absent"), dangling); err != nil {
			t.Fatal(err)
		}
		// A socket stands for all that is neither file nor folder. A device of the system does not serve:
		// were it replaced in a test run by root, the machine would have lost it.
		socket := filepath.Join(other, "s")
		if l, err := net.Listen("unix", socket); err == nil { // paths of sockets are short
			defer l.Close()
		} else {
			t.Logf("no socket: %v", err)
			socket = dir
		}
		for path, want := range map[string]string{
			dangling: "symbolic link to nothing", socket: "not a regular file", dir: "is a directory", "": "no output file",
			filepath.Join(other, "none", "x"): "none does not exist", filepath.Join(path, "x"): "not a directory",
		} {
			if path == dir {
				want = "directory"
			}
			for _, err := range []error{Write(path, put("x")), CheckWritable(path)} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%q: %v, want %q", path, err, want)
				}
			}
		}
	})
}

// What a killed process left is removed, what a living one holds is not.
func TestStale(t *testing.T) {
	inEveryWay(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "out.png")
		name := temporaryName(path)
		for what, f := range map[string]func() error{
			"Write":         func() error { return Write(path, put("new")) },
			"CheckWritable": func() error { return CheckWritable(path) },
			"Remove":        func() error { return Remove(path) },
		} {
			for _, target := range []bool{false, true} {
				os.Remove(path)
				if target {
					if err := os.WriteFile(path, []byte("new"), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.WriteFile(name, []byte("half"), 0o644); err != nil {
					t.Fatal(err)
				}
				if err := f(); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				onlyFile(t, path)
			}
		}
		if closeBeforeRename {
			return
		}
		busy, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		defer busy.Close()
		if !lock(busy) {
			t.Fatal("no lock")
		}
		if err := clearStale(name); !errors.Is(err, errBusy) {
			t.Errorf("a locked file: %v", err)
		}
		if !isAt(busy, name) {
			t.Error("a file in use was removed")
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(name, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{Write(path, put("x")), CheckWritable(path)} {
			if err == nil || !strings.Contains(err.Error(), "in the way") {
				t.Errorf("a directory in the temporary file's place: %v", err)
			}
		}
	})
}

// Many writers of one file: it always holds what one of them wrote.
func TestConcurrentWriters(t *testing.T) {
	inEveryWay(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "out")
		var texts []string
		for i := range 8 {
			texts = append(texts, strings.Repeat(fmt.Sprint(i), 10000+i))
		}
		var wg sync.WaitGroup
		for _, text := range texts {
			wg.Go(func() {
				for range 10 {
					if err := Write(path, put(text)); err != nil && !errors.Is(err, errBusy) {
						t.Error(err)
					}
					if b, err := os.ReadFile(path); err == nil && !slices.Contains(texts, string(b)) {
						t.Errorf("the file holds %.20q, %d bytes", b, len(b))
					}
				}
			})
		}
		// Checks, which remove stale files, never take one that is being written.
		wg.Go(func() {
			for range 100 {
				if err := CheckWritable(path); err != nil && !errors.Is(err, errBusy) {
					t.Error(err)
				}
			}
		})
		wg.Wait()
		onlyFile(t, path)
	})
}

// The temporary name fits where the file's does, and belongs to the file.
func TestTemporaryName(t *testing.T) {
	dir := t.TempDir()
	long := filepath.Join(dir, strings.Repeat("x", 251)+".png")
	for _, path := range []string{filepath.Join(dir, "a.png"), long} {
		name := temporaryName(path)
		if filepath.Dir(name) != dir || name == temporaryName(path+"2") || len(filepath.Base(name)) > 255 {
			t.Errorf("%q has the temporary name %q", path, name)
		}
	}
	inEveryWay(t, func(t *testing.T) {
		for range 2 {
			if err := Write(long, put("x")); err != nil {
				t.Fatal(err)
			}
			holds(t, long, "x")
		}
	})
}
