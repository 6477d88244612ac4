package cpu

import (
	"errors"
	"fmt"
	"runtime/metrics"
)

// ErrMemory is wrapped by Compile's error when a computation needs more memory than there is.
var ErrMemory = errors.New("not enough memory")

// MemoryError is the error itself, an ErrMemory. Sizes are in bytes.
type MemoryError struct {
	Need int // beyond what the process holds already
	Have int // what it can still get
}

// Error says how much is missing.
func (e *MemoryError) Error() string {
	return fmt.Sprintf("%v: the computation needs %s more, %s are available", ErrMemory, bytesString(e.Need), bytesString(e.Have))
}

// Unwrap returns ErrMemory.
func (e *MemoryError) Unwrap() error { return ErrMemory }

// Memory is what an executable takes beside its inputs, in bytes.
type Memory struct {
	// Tables is about the size of the executable itself.
	Tables int
	// Temporary is the space for values in between, which all executables of a backend share, and for
	// operands in the making.
	Temporary int
	// Packed are the forms of kernels and matrices that are kept with the inputs they are made of.
	Packed int
	// Outputs is the most that the outputs take at one time beyond what donated inputs leave to them.
	Outputs int
}

// Memory says what a run takes if some of the inputs are donated (nil: none). Of an executable that is
// finalized it is nothing.
func (e *Executable) Memory(donated []bool) Memory {
	e.backend.mu.Lock()
	defer e.backend.mu.Unlock()
	p, ok := e.runner.(*plan)
	if !ok {
		return Memory{}
	}
	return p.takes(donated)
}

// vertexBytes is about what a vertex takes with its part of the steps and of the graph that it is of.
const vertexBytes = 2 << 10

// takes is the memory of a run.
func (p *plan) takes(donated []bool) Memory {
	m := Memory{Tables: vertexBytes * len(p.vertices), Temporary: p.arenaBytes + p.strips.Bytes() + 8*p.sumFloats, Outputs: p.growth(donated)}
	packs := 0 // of right operands that are not kept
	for _, s := range p.steps {
		switch s := s.(type) {
		case *convolutionStep:
			m.Packed += s.conv.PackedBytes()
		case *productStep:
			if s.keeps() && (donated == nil || !donated[s.r.base.input()]) {
				m.Packed += s.packBytes()
			} else {
				packs = max(packs, min(s.batch, p.workers)*s.packBytes())
			}
		}
	}
	m.Temporary += packs
	return m
}

// checkMemory tells whether a plan fits: what it takes, but for the part of the arena that the backend
// holds already.
func (b *Backend) checkMemory(p *plan) error {
	m := p.takes(nil)
	return CheckMemory(m.Temporary - min(p.arenaBytes, len(b.arena)) + m.Packed + m.Outputs)
}

// CheckMemory tells whether the process can get need more bytes. The error is a MemoryError; where
// the system does not say what there is, there is none.
func CheckMemory(need int) error {
	if have, known := availableMemory(); known && need > have {
		return fmt.Errorf("cpu: %w", &MemoryError{Need: need, Have: have})
	}
	return nil
}

// AvailableMemory is what the process can still get, in bytes; known is false where the system does
// not say.
func AvailableMemory() (bytes int, known bool) { return availableMemory() }

// ResidentMemory is what the process holds, in bytes: where the system does not say, what Go has from it.
func ResidentMemory() int {
	if bytes, known := residentMemory(); known {
		return bytes
	}
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return int(s[0].Value.Uint64() - s[1].Value.Uint64())
}

func bytesString(n int) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
