package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// childPath and childWay are the environment of a process that writes one file until it is killed.
const childPath, childWay = "SPGD_TEST_WRITE", "SPGD_TEST_WRITE_NAMED"

// childLocks is the environment of a process that locks a folder until it is killed.
const childLocks = "SPGD_TEST_LOCK"

func TestMain(m *testing.M) {
	if folder := os.Getenv(childLocks); folder != "" {
		if _, err := LockFolder(folder); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		time.Sleep(time.Hour)
	}
	if path := os.Getenv(childPath); path != "" {
		if os.Getenv(childWay) != "" {
			unnamed = func(string) (*os.File, error) { return nil, errors.ErrUnsupported }
		}
		for i := 0; ; i++ {
			if err := Write(path, func(w io.Writer) error { _, err := w.Write(version(i)); return err }); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}
	os.Exit(m.Run())
}

// version is what the file holds after its i-th writing: a byte that repeats, over several blocks.
func version(i int) []byte { return bytes.Repeat([]byte{byte('a' + i%26)}, 1<<17+i%26) }

// A process that is killed at any moment leaves the file whole, and what it leaves beside it goes when
// the file is written again.
func TestKill(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 0))
	strays := map[string]int{}
	for _, way := range []string{"", "1"} {
		for round := range 20 {
			path := filepath.Join(t.TempDir(), "out")
			var stderr bytes.Buffer
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), childPath+"="+path, childWay+"="+way)
			child.Stderr = &stderr
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(20 * time.Second); round%4 > 0 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
				if _, err := os.Stat(path); err == nil {
					break
				}
			}
			time.Sleep(time.Duration(random.IntN(20_000)) * time.Microsecond)
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			child.Wait()
			if stderr.Len() > 0 {
				t.Fatalf("the writer failed: %s", stderr.String())
			}
			data, err := os.ReadFile(path)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			if len(data) > 0 && !bytes.Equal(data, version(int(data[0]-'a'))) || err == nil && len(data) == 0 {
				t.Fatalf("a file of %d bytes that begins with %.3q", len(data), data)
			}
			entries, err := os.ReadDir(filepath.Dir(path))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if e.Name() == "out" {
					continue
				}
				strays[way]++
				if filepath.Join(filepath.Dir(path), e.Name()) != temporaryName(path) {
					t.Errorf("the killed process left %s", e.Name())
				}
			}
			if err := Write(path, put("again")); err != nil {
				t.Fatal(err)
			}
			holds(t, path, "again")
		}
	}
	t.Logf("temporary files that killed processes left, without names and with: %d and %d", strays[""], strays["1"])
}
