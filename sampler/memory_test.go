//go:build !race

package sampler

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
)

// envMemory names the method whose memory a process of TestMemoryOverSteps measures.
const envMemory = "SPGD_TEST_MEMORY"

// TestMemoryOverSteps: a process takes as much memory after 20 steps as after 5, within 2 %, even if
// the collector never runs: what a step leaves behind serves the next.
func TestMemoryOverSteps(t *testing.T) {
	if method := os.Getenv(envMemory); method != "" {
		runForMemory(t, method)
		return
	}
	if _, err := resident(); err != nil {
		t.Skipf("the system does not say what memory is resident: %v", err)
	}
	// Methods with momentum, with noise that is drawn in every step for the image and for the measurement,
	// and with an inverse of the operator.
	for _, method := range []string{"spgd", "fps", "ddnm+"} {
		t.Run(method, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestMemoryOverSteps$", "-test.v")
			cmd.Env = append(os.Environ(), envMemory+"="+method, "GOGC=off")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			var at []int
			for line := range strings.Lines(string(out)) {
				var step, bytes int
				if n, _ := fmt.Sscanf(line, "resident after step %d: %d", &step, &bytes); n == 2 {
					at = append(at, bytes)
				}
			}
			if len(at) != 20 {
				t.Fatalf("%d steps are reported:\n%s", len(at), out)
			}
			t.Logf("%.1f MB after step 5, %.1f after step 20", float64(at[4])/1e6, float64(at[19])/1e6)
			if float64(at[19]) > 1.02*float64(at[4]) {
				t.Errorf("%d bytes after step 20, %d after step 5", at[19], at[4])
			}
		})
	}
}

// runForMemory runs 20 steps of a method on an image of 512x512 and prints the resident memory after
// each.
func runForMemory(t *testing.T, method string) {
	const side = 512
	op, err := operator.NewSuperResolution(side, side, 4)
	if err != nil {
		t.Fatal(err)
	}
	variance := make([]float64, side*side*3)
	for i := range variance {
		variance[i] = 0.2
	}
	d, err := prior.NewDiagonalGaussian(make([]float64, len(variance)), variance, side, side, 3)
	if err != nil {
		t.Fatal(err)
	}
	variance = nil
	settings := map[string]string{"steps": "20"}
	if method == "spgd" {
		settings["warmup"] = "1"
	}
	s, err := New(method, Problem{Operator: op, SigmaY: 0.1}, settings)
	if err != nil {
		t.Fatal(err)
	}
	y := normals(1, 0.3, 1, side/4, side/4, 3)
	_, err = newDriver(t, d, op).Run(context.Background(), s, Job{Y: y, Observers: []Observer{ObserverFunc(func(s *Snapshot) error {
		bytes, err := resident()
		fmt.Printf("resident after step %d: %d\n", s.K+1, bytes)
		return err
	})}})
	if err != nil {
		t.Fatal(err)
	}
}

// resident is the memory of this process that is in use, in bytes.
func resident() (int, error) { return ofProcess("VmRSS:") }

// ofProcess reads a size from this process's status.
func ofProcess(key string) (int, error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if w := strings.Fields(s.Text()); len(w) == 3 && w[0] == key {
			n, err := strconv.Atoi(w[1])
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("no %s in /proc/self/status", key)
}
