#include "textflag.h"
#include "go_asm.h"
#include "neon_arm64.h"

// Micro-kernels for NEON: blocks of 12, 8, 4, 2 or 1 rows times a panel of 8 or 4 columns.
//
// Two k are taken at a time. V0 to V3 hold two rows of the panel, V4 to V7 two adjacent elements
// each of four rows of the left-hand side, V8 to V31 the sums: 24 chains of multiply-adds, when
// the widest cores (four pipes, latency four) need 16.
//
// The multiply-adds take their left factor from a lane, so that nothing is broadcast: a load with
// broadcast (LD1R) takes a vector pipe, too, on many cores. For 12 x 8 that makes, for two k, 48
// multiply-adds with 12 loads of left-hand elements, 2 loads of pairs of registers and 4
// instructions for the loop: 48 of 66 instructions compute, and a core with two multiply-adds a
// cycle, which needs 24 cycles, has time for the 14 loads many times over. Four k at a time would
// need more registers than there are; a block of 8 x 12 would do with 11 loads, but 12 does not
// divide the usual numbers of channels. All of this is reckoned from the code and the published
// properties of the cores; no run on hardware has confirmed it.
//
// All rows share one offset into them, so that the step from k to k and from run to run changes
// one register:
//	R0  the block            R13 offset of k in a row   R19, R22 scratch
//	R1 to R12 start of a row R14 row of the panel       R20 m
//	R15 next run             R16 runs left              R21 offsets of the output
//	R17 left-hand side       R23 panel                  R24 k left

// ROWS does the rows in order and leaves after the last.
#define ROWS8(DO, done) \
	DO(0, F8, F9, 8, 9) \
	CMP $1, R20; BEQ done \
	DO(1, F10, F11, 10, 11) \
	CMP $2, R20; BEQ done \
	DO(2, F12, F13, 12, 13) \
	DO(3, F14, F15, 14, 15) \
	CMP $4, R20; BEQ done \
	DO(4, F16, F17, 16, 17) \
	DO(5, F18, F19, 18, 19) \
	DO(6, F20, F21, 20, 21) \
	DO(7, F22, F23, 22, 23) \
	CMP $8, R20; BEQ done \
	DO(8, F24, F25, 24, 25) \
	DO(9, F26, F27, 26, 27) \
	DO(10, F28, F29, 28, 29) \
	DO(11, F30, F31, 30, 31)

#define ROWS4(DO, done) \
	DO(0, F8, 8) \
	CMP $1, R20; BEQ done \
	DO(1, F9, 9) \
	CMP $2, R20; BEQ done \
	DO(2, F10, 10) \
	DO(3, F11, 11) \
	CMP $4, R20; BEQ done \
	DO(4, F12, 12) \
	DO(5, F13, 13) \
	DO(6, F14, 14) \
	DO(7, F15, 15) \
	CMP $8, R20; BEQ done \
	DO(8, F16, 16) \
	DO(9, F17, 17) \
	DO(10, F18, 18) \
	DO(11, F19, 19)

#define ZERO4(a, b, c, d) ZERO(a); ZERO(b); ZERO(c); ZERO(d)

// ADDRESS leaves the address of output or residual row i, the array being at R22, in R19.
#define ADDRESS(i) \
	MOVD i*8(R21), R19 \
	ADD R19<<2, R22, R19

#define LOAD8(i, f0, f1, c0, c1) \
	ADDRESS(i) \
	FLDPQ (R19), (f0, f1)

#define LOAD4(i, f0, c0) \
	ADDRESS(i) \
	FMOVQ (R19), f0

#define BIAS8(i, f0, f1, c0, c1) \
	FADD(c0, c0, 0) \
	FADD(c1, c1, 1)

#define BIAS4(i, f0, c0) \
	FADD(c0, c0, 0)

#define RESIDUAL8(i, f0, f1, c0, c1) \
	ADDRESS(i) \
	FLDPQ (R19), (F0, F1) \
	FADD(c0, c0, 0) \
	FADD(c1, c1, 1)

#define RESIDUAL4(i, f0, c0) \
	ADDRESS(i) \
	FMOVQ (R19), F0 \
	FADD(c0, c0, 0)

#define STORE8(i, f0, f1, c0, c1) \
	ADDRESS(i) \
	FSTPQ (f0, f1), (R19)

#define STORE4(i, f0, c0) \
	ADDRESS(i) \
	FMOVQ f0, (R19)

#define POINTER(i, p) \
	MOVD i*8(R19), p \
	ADD p<<2, R17, p

// POINTERS loads the starts of the rows and goes to the loop for their number.
#define POINTERS(none) \
	MOVD block_runs(R0), R15 \
	MOVD block_runs+8(R0), R16 \
	CBZ R16, none \
	MOVD block_a(R0), R17 \
	MOVD block_b(R0), R23 \
	MOVD block_aOff(R0), R19 \
	POINTER(0, R1) \
	CMP $1, R20; BEQ again1 \
	POINTER(1, R2) \
	CMP $2, R20; BEQ again2 \
	POINTER(2, R3) \
	POINTER(3, R4) \
	CMP $4, R20; BEQ again4 \
	POINTER(4, R5) \
	POINTER(5, R6) \
	POINTER(6, R7) \
	POINTER(7, R8) \
	CMP $8, R20; BEQ again8 \
	POINTER(8, R9) \
	POINTER(9, R10) \
	POINTER(10, R11) \
	POINTER(11, R12)

// RUN walks through all runs; a row of the panel has 1<<shift bytes. Each of the pieces is for
// one number of rows: two k, and a last one.
#define RUN(again, loop, odd, next, shift, panel2, panel1, fma2, fma1) \
again: \
	MOVD 0(R15), R13 \
	LSL $2, R13, R13 \
	MOVD 8(R15), R14 \
	ADD R14<<shift, R23, R14 \
	MOVD 16(R15), R24 \
	ADD $24, R15 \
	SUBS $2, R24 \
	BLT odd \
	PCALIGN $16 \
loop: \
	panel2 \
	fma2 \
	ADD $8, R13 \
	SUBS $2, R24 \
	BGE loop \
odd: \
	TBZ $0, R24, next \
	panel1 \
	fma1 \
next: \
	SUBS $1, R16 \
	BNE again \
	B sums

#define PANEL8x2 FLDPQ (R14), (F0, F1); FLDPQ 32(R14), (F2, F3); ADD $64, R14
#define PANEL8x1 FLDPQ (R14), (F0, F1)
#define PANEL4x2 FLDPQ.P 32(R14), (F0, F1)
#define PANEL4x1 FMOVQ (R14), F0

#define LEFT1(load, p) load (p)(R13), F4
#define LEFT2(load, p, q) LEFT1(load, p); load (q)(R13), F5
#define LEFT4(load, p, q, r, s) LEFT2(load, p, q); load (r)(R13), F6; load (s)(R13), F7

// Rows of the panel b0, b1 times a lane of one, two or four rows, the sums starting at register c.
#define FMA8L1(b0, b1, lane, c) FMLALANE(c, b0, 4, lane); FMLALANE(c+1, b1, 4, lane)
#define FMA8L2(b0, b1, lane, c) FMA8L1(b0, b1, lane, c); FMLALANE(c+2, b0, 5, lane); FMLALANE(c+3, b1, 5, lane)
#define FMA8L4(b0, b1, lane, c) FMA8L2(b0, b1, lane, c) \
	FMLALANE(c+4, b0, 6, lane); FMLALANE(c+5, b1, 6, lane) \
	FMLALANE(c+6, b0, 7, lane); FMLALANE(c+7, b1, 7, lane)

#define FMA8x1x1 LEFT1(FMOVS, R1); FMA8L1(0, 1, 0, 8)
#define FMA8x2x1 LEFT2(FMOVS, R1, R2); FMA8L2(0, 1, 0, 8)
#define FMA8x4x1 LEFT4(FMOVS, R1, R2, R3, R4); FMA8L4(0, 1, 0, 8)
#define FMA8x8x1 FMA8x4x1; LEFT4(FMOVS, R5, R6, R7, R8); FMA8L4(0, 1, 0, 16)
#define FMA8x12x1 FMA8x8x1; LEFT4(FMOVS, R9, R10, R11, R12); FMA8L4(0, 1, 0, 24)

#define FMA8x1x2 LEFT1(FMOVD, R1); FMA8L1(0, 1, 0, 8); FMA8L1(2, 3, 1, 8)
#define FMA8x2x2 LEFT2(FMOVD, R1, R2); FMA8L2(0, 1, 0, 8); FMA8L2(2, 3, 1, 8)
#define FMA8x4x2 LEFT4(FMOVD, R1, R2, R3, R4); FMA8L4(0, 1, 0, 8); FMA8L4(2, 3, 1, 8)
#define FMA8x8x2 FMA8x4x2; LEFT4(FMOVD, R5, R6, R7, R8); FMA8L4(0, 1, 0, 16); FMA8L4(2, 3, 1, 16)
#define FMA8x12x2 FMA8x8x2; LEFT4(FMOVD, R9, R10, R11, R12); FMA8L4(0, 1, 0, 24); FMA8L4(2, 3, 1, 24)

#define FMA4L1(b, lane, c) FMLALANE(c, b, 4, lane)
#define FMA4L2(b, lane, c) FMA4L1(b, lane, c); FMLALANE(c+1, b, 5, lane)
#define FMA4L4(b, lane, c) FMA4L2(b, lane, c); FMLALANE(c+2, b, 6, lane); FMLALANE(c+3, b, 7, lane)

#define FMA4x1x1 LEFT1(FMOVS, R1); FMA4L1(0, 0, 8)
#define FMA4x2x1 LEFT2(FMOVS, R1, R2); FMA4L2(0, 0, 8)
#define FMA4x4x1 LEFT4(FMOVS, R1, R2, R3, R4); FMA4L4(0, 0, 8)
#define FMA4x8x1 FMA4x4x1; LEFT4(FMOVS, R5, R6, R7, R8); FMA4L4(0, 0, 12)
#define FMA4x12x1 FMA4x8x1; LEFT4(FMOVS, R9, R10, R11, R12); FMA4L4(0, 0, 16)

#define FMA4x1x2 LEFT1(FMOVD, R1); FMA4L1(0, 0, 8); FMA4L1(1, 1, 8)
#define FMA4x2x2 LEFT2(FMOVD, R1, R2); FMA4L2(0, 0, 8); FMA4L2(1, 1, 8)
#define FMA4x4x2 LEFT4(FMOVD, R1, R2, R3, R4); FMA4L4(0, 0, 8); FMA4L4(1, 1, 8)
#define FMA4x8x2 FMA4x4x2; LEFT4(FMOVD, R5, R6, R7, R8); FMA4L4(0, 0, 12); FMA4L4(1, 1, 12)
#define FMA4x12x2 FMA4x8x2; LEFT4(FMOVD, R9, R10, R11, R12); FMA4L4(0, 0, 16); FMA4L4(1, 1, 16)

// func computeNEONx8(arg *block)
//
// All 8 columns are loaded and stored.
TEXT ·computeNEONx8(SB), NOSPLIT, $0-8
	MOVD arg+0(FP), R0
	MOVD block_m(R0), R20
	MOVD block_cOff(R0), R21
	MOVD block_acc(R0), R19
	CBNZ R19, old
	ZERO4(V8, V9, V10, V11)
	ZERO4(V12, V13, V14, V15)
	ZERO4(V16, V17, V18, V19)
	ZERO4(V20, V21, V22, V23)
	ZERO4(V24, V25, V26, V27)
	ZERO4(V28, V29, V30, V31)
	B start

old:
	MOVD block_c(R0), R22
	ROWS8(LOAD8, start)

start:
	POINTERS(sums)
	RUN(again12, loop12, odd12, next12, 5, PANEL8x2, PANEL8x1, FMA8x12x2, FMA8x12x1)
	RUN(again8, loop8, odd8, next8, 5, PANEL8x2, PANEL8x1, FMA8x8x2, FMA8x8x1)
	RUN(again4, loop4, odd4, next4, 5, PANEL8x2, PANEL8x1, FMA8x4x2, FMA8x4x1)
	RUN(again2, loop2, odd2, next2, 5, PANEL8x2, PANEL8x1, FMA8x2x2, FMA8x2x1)
	RUN(again1, loop1, odd1, next1, 5, PANEL8x2, PANEL8x1, FMA8x1x2, FMA8x1x1)

sums:
	MOVD block_bias(R0), R22
	CBZ R22, residual
	FLDPQ (R22), (F0, F1)
	ROWS8(BIAS8, residual)

residual:
	MOVD block_add(R0), R22
	CBZ R22, store
	ROWS8(RESIDUAL8, store)

store:
	MOVD block_c(R0), R22
	ROWS8(STORE8, done)

done:
	RET

// func computeNEONx4(arg *block)
//
// All 4 columns are loaded and stored.
TEXT ·computeNEONx4(SB), NOSPLIT, $0-8
	MOVD arg+0(FP), R0
	MOVD block_m(R0), R20
	MOVD block_cOff(R0), R21
	MOVD block_acc(R0), R19
	CBNZ R19, old
	ZERO4(V8, V9, V10, V11)
	ZERO4(V12, V13, V14, V15)
	ZERO4(V16, V17, V18, V19)
	B start

old:
	MOVD block_c(R0), R22
	ROWS4(LOAD4, start)

start:
	POINTERS(sums)
	RUN(again12, loop12, odd12, next12, 4, PANEL4x2, PANEL4x1, FMA4x12x2, FMA4x12x1)
	RUN(again8, loop8, odd8, next8, 4, PANEL4x2, PANEL4x1, FMA4x8x2, FMA4x8x1)
	RUN(again4, loop4, odd4, next4, 4, PANEL4x2, PANEL4x1, FMA4x4x2, FMA4x4x1)
	RUN(again2, loop2, odd2, next2, 4, PANEL4x2, PANEL4x1, FMA4x2x2, FMA4x2x1)
	RUN(again1, loop1, odd1, next1, 4, PANEL4x2, PANEL4x1, FMA4x1x2, FMA4x1x1)

sums:
	MOVD block_bias(R0), R22
	CBZ R22, residual
	FMOVQ (R22), F0
	ROWS4(BIAS4, residual)

residual:
	MOVD block_add(R0), R22
	CBZ R22, store
	ROWS4(RESIDUAL4, store)

store:
	MOVD block_c(R0), R22
	ROWS4(STORE4, done)

done:
	RET

// func peakNEON(n int)
//
// 24 chains, two rounds at once: 12 would not fill four pipes.
TEXT ·peakNEON(SB), NOSPLIT, $0-8
	MOVD n+0(FP), R0
	ZERO(V0)

loop:
	FMLA(8, 0, 0); FMLA(9, 0, 0); FMLA(10, 0, 0); FMLA(11, 0, 0)
	FMLA(12, 0, 0); FMLA(13, 0, 0); FMLA(14, 0, 0); FMLA(15, 0, 0)
	FMLA(16, 0, 0); FMLA(17, 0, 0); FMLA(18, 0, 0); FMLA(19, 0, 0)
	FMLA(20, 0, 0); FMLA(21, 0, 0); FMLA(22, 0, 0); FMLA(23, 0, 0)
	FMLA(24, 0, 0); FMLA(25, 0, 0); FMLA(26, 0, 0); FMLA(27, 0, 0)
	FMLA(28, 0, 0); FMLA(29, 0, 0); FMLA(30, 0, 0); FMLA(31, 0, 0)
	SUBS $2, R0
	BGT loop
	RET
