package kernel

import (
	"fmt"
	"sync"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/pool"
)

// Epilogue is what is done to the output of a product while it is in the cache.
type Epilogue struct {
	// Bias is added to every row: one value per column or output channel. Nil: none.
	Bias []float32
	// Add is a residual in the layout of dst, added last. It must not overlap dst. Nil: none.
	Add []float32
	// Post is called by convolutions when row y of image n is complete and may change it in
	// place; row has width*channels elements. Calls run at the same time, with different
	// workers. Nil: none. Matrix products ignore it.
	Post func(worker, n, y int, row []float32)
}

const (
	// kBlock is the largest number of k of a panel that are taken at a time, so that this part of
	// the panel (kBlock*width floats) stays in the second-level cache.
	kBlock = 1536
	// gemmBlock is the same for matrix products, where the left-hand side needs its room too.
	gemmBlock = 512
	// gemmRows is the number of rows of a piece of a matrix product.
	gemmRows = 8 * maxRows
	// serialWork is the number of multiply-adds below which waking other threads costs more
	// than it gains.
	serialWork = 1 << 17
)

// Gemm computes dst[i*ldd+j] = sum over k of a[i*lda+k]*B[k][j] + bias[j] + add[i*ldd+j] for
// i < m, with the threads of p when there is enough to do. dst must not overlap a.
func Gemm(p *pool.Pool, dst []float32, ldd int, a []float32, lda int, m int, b *Packed, ep Epilogue) {
	if p == nil || p.Workers() == 1 || m*b.k*b.n < serialWork {
		GemmSerial(dst, ldd, a, lda, m, b, ep)
		return
	}
	g := gemmTasks.Get().(*gemmTask)
	g.gemm, g.m = newGemm(dst, ldd, a, lda, m, b, ep), m
	// Rows are divided first, then columns, until there are a few pieces a worker.
	g.rows = min(gemmRows, roundUp((m+2*p.Workers()-1)/(2*p.Workers()), maxRows))
	rowPieces := (m + g.rows - 1) / g.rows
	g.groups = min(b.panels(), max(1, (4*p.Workers()+rowPieces-1)/rowPieces))
	p.Run(rowPieces*g.groups, g.task)
	g.gemm = gemm{}
	gemmTasks.Put(g)
}

// gemmTask is a product that is divided into pieces of work.
type gemmTask struct {
	gemm
	m, rows, groups int
	task            func(worker, piece int)
}

var gemmTasks = sync.Pool{New: func() any {
	g := new(gemmTask)
	g.task = g.piece
	return g
}}

func (g *gemmTask) piece(_, piece int) {
	r, q, panels := piece/g.groups, piece%g.groups, g.b.panels()
	g.run(r*g.rows, min(g.m, (r+1)*g.rows), q*panels/g.groups, (q+1)*panels/g.groups)
}

// GemmSerial is Gemm on the calling goroutine alone, for many small products that run at the
// same time.
func GemmSerial(dst []float32, ldd int, a []float32, lda int, m int, b *Packed, ep Epilogue) {
	g := newGemm(dst, ldd, a, lda, m, b, ep)
	for i := 0; i < m; i += gemmRows {
		g.run(i, min(m, i+gemmRows), 0, b.panels())
	}
}

// gemmCopyRow is the distance of the rows of a gemmCopy.
const gemmCopyRow = gemmBlock + 16

// gemmCopy holds a piece of the left-hand side.
type gemmCopy [gemmRows * gemmCopyRow]float32

var gemmCopies = sync.Pool{New: func() any { return new(gemmCopy) }}

type gemm struct {
	dst, a   []float32
	ldd, lda int
	b        *Packed
	ep       Epilogue
}

func newGemm(dst []float32, ldd int, a []float32, lda int, m int, b *Packed, ep Epilogue) gemm {
	if m > 0 && b.n > 0 {
		// The assembly does not check: every slice must reach to its last element.
		last := (m-1)*ldd + b.n
		need("dst", len(dst), last)
		need("a", len(a), (m-1)*lda+b.k)
		if ep.Bias != nil {
			need("bias", len(ep.Bias), b.n)
		}
		if ep.Add != nil {
			need("add", len(ep.Add), last)
		}
		if m > 1 && (ldd < b.n || lda < 0) {
			panic(fmt.Sprintf("kernel: row strides %d and %d do not fit a product with %d columns", ldd, lda, b.n))
		}
	}
	return gemm{dst, a, ldd, lda, b, ep}
}

// run computes rows [i0, i1) of panels [p0, p1).
func (g *gemm) run(i0, i1, p0, p1 int) {
	b := g.b
	if b.n == 0 || i0 >= i1 {
		return
	}
	a, lda := g.a[i0*g.lda:], g.lda
	var copied *gemmCopy
	if g.lda%512 == 0 && b.k >= 64 && i1-i0 >= maxRows {
		// Rows would fall into the same few cache sets.
		copied = gemmCopies.Get().(*gemmCopy)
		defer gemmCopies.Put(copied)
		lda = gemmCopyRow
	}
	var aOff, cOff [maxRows]int
	for i := range maxRows {
		aOff[i] = i * lda
		cOff[i] = i * g.ldd
	}
	var oneRun [1]run
	for k0 := 0; k0 == 0 || k0 < b.k; k0 += gemmBlock {
		kn := min(gemmBlock, b.k-k0)
		last := k0+kn == b.k
		var runs []run
		if kn > 0 {
			oneRun[0] = run{k0, k0, kn}
			runs = oneRun[:]
			if copied != nil {
				for i := range i1 - i0 {
					copy(copied[i*lda:i*lda+kn], g.a[(i0+i)*g.lda+k0:])
				}
				a, oneRun[0].a = copied[:], 0
			}
		}
		for pi := p0; pi < p1; pi++ {
			data, width, col, cols := b.panel(pi)
			blk := block{b: data, runs: runs, n: cols, width: width}
			if k0 > 0 {
				blk.acc = 1
			}
			if last && g.ep.Bias != nil {
				blk.bias = g.ep.Bias[col:]
			}
			for i := i0; i < i1; {
				blk.m = b.isa.blockRows(width, i1-i)
				blk.a, blk.aOff = a[(i-i0)*lda:], aOff[:blk.m]
				blk.c, blk.cOff = g.dst[i*g.ldd+col:], cOff[:blk.m]
				if last && g.ep.Add != nil {
					blk.add = g.ep.Add[i*g.ldd+col:]
				}
				b.isa.compute(&blk)
				i += blk.m
			}
		}
	}
}

func need(what string, have, want int) {
	if have < want {
		panic(fmt.Sprintf("kernel: %s has %d elements, needs %d", what, have, want))
	}
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }
