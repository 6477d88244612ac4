#include "textflag.h"
#include "go_asm.h"
#include "micro_amd64.h"

// Micro-kernels for AVX2 and FMA: blocks of 6, 4, 2 or 1 rows times a panel of 16 columns, and of
// 12, 8, 4, 2 or 1 rows times a panel of 8. Y0 (and Y1) hold a row of the panel, the registers up
// to Y3 an element of a row of the left-hand side, Y4 to Y15 the sums. See micro_amd64.h for the
// other registers.

// LANES leaves the address of the mask in DX.
#define LANES \
	MOVQ $16, CX \
	SUBQ block_n(DI), CX \
	LEAQ ·lanes(SB), DX \
	LEAQ (DX)(CX*4), DX

#define ROWS16(DO, M, done) \
	DO(0, Y4, Y5) \
	CMPQ M, $1; JE done \
	DO(1, Y6, Y7) \
	CMPQ M, $2; JE done \
	DO(2, Y8, Y9) \
	DO(3, Y10, Y11) \
	CMPQ M, $4; JE done \
	DO(4, Y12, Y13) \
	DO(5, Y14, Y15)

#define ROWS8(DO, M, done) \
	DO(0, Y4) \
	CMPQ M, $1; JE done \
	DO(1, Y5) \
	CMPQ M, $2; JE done \
	DO(2, Y6) \
	DO(3, Y7) \
	CMPQ M, $4; JE done \
	DO(4, Y8) \
	DO(5, Y9) \
	DO(6, Y10) \
	DO(7, Y11) \
	CMPQ M, $8; JE done \
	DO(8, Y12) \
	DO(9, Y13) \
	DO(10, Y14) \
	DO(11, Y15)

#define ZERO(c) VXORPS c, c, c

#define ZEROES \
	ZERO(Y4); ZERO(Y5); ZERO(Y6); ZERO(Y7); ZERO(Y8); ZERO(Y9) \
	ZERO(Y10); ZERO(Y11); ZERO(Y12); ZERO(Y13); ZERO(Y14); ZERO(Y15)

// The output and the residual are at R8 and R9, their offsets at R10, the masks in Y2 and Y3.
#define LOAD16(i, c0, c1) \
	MOVQ i*8(R10), AX \
	VMASKMOVPS (R8)(AX*4), Y2, c0 \
	VMASKMOVPS 32(R8)(AX*4), Y3, c1

#define LOAD8(i, c) \
	MOVQ i*8(R10), AX \
	VMASKMOVPS (R8)(AX*4), Y2, c

#define RESIDUAL16(i, c0, c1) \
	MOVQ i*8(R10), AX \
	VMASKMOVPS (R9)(AX*4), Y2, Y0 \
	VMASKMOVPS 32(R9)(AX*4), Y3, Y1 \
	VADDPS Y0, c0, c0 \
	VADDPS Y1, c1, c1

#define RESIDUAL8(i, c) \
	MOVQ i*8(R10), AX \
	VMASKMOVPS (R9)(AX*4), Y2, Y0 \
	VADDPS Y0, c, c

#define STORE16(i, c0, c1) \
	MOVQ i*8(R10), AX \
	VMOVUPS c0, (R8)(AX*4) \
	VMOVUPS c1, 32(R8)(AX*4)

#define PARTIAL16(i, c0, c1) \
	MOVQ i*8(R10), AX \
	VMASKMOVPS c0, Y2, (R8)(AX*4) \
	VMASKMOVPS c1, Y3, 32(R8)(AX*4)

#define STORE8(i, c) \
	MOVQ i*8(R10), AX \
	VMOVUPS c, (R8)(AX*4)

#define PARTIAL8(i, c) \
	MOVQ i*8(R10), AX \
	VMASKMOVPS c, Y2, (R8)(AX*4)

#define FMA16(p, x, c0, c1) \
	VBROADCASTSS (p)(R14*4), x \
	VFMADD231PS Y0, x, c0 \
	VFMADD231PS Y1, x, c1

#define FMA16x1 FMA16(AX, Y2, Y4, Y5)
#define FMA16x2 FMA16x1; FMA16(BX, Y3, Y6, Y7)
#define FMA16x4 FMA16x2; FMA16(CX, Y2, Y8, Y9); FMA16(DX, Y3, Y10, Y11)
#define FMA16x6 FMA16x4; FMA16(SI, Y2, Y12, Y13); FMA16(DI, Y3, Y14, Y15)

#define RUN16(again, loop, move, fma) \
again: \
	NEXT \
	move \
	ENTER(6) \
loop: \
	VMOVUPS (R15), Y0 \
	VMOVUPS 32(R15), Y1 \
	fma \
	ADDQ $64, R15 \
	INCQ R14 \
	JNZ loop \
	LEAVE(again, sums)

#define FMA8(p, x, c) \
	VBROADCASTSS (p)(R14*4), x \
	VFMADD231PS Y0, x, c

#define FMA8x1 FMA8(AX, Y1, Y4)
#define FMA8x2 FMA8x1; FMA8(BX, Y2, Y5)
#define FMA8x4 FMA8x2; FMA8(CX, Y3, Y6); FMA8(DX, Y1, Y7)
#define FMA8x8 FMA8x4; FMA8(SI, Y2, Y8); FMA8(DI, Y3, Y9); FMA8(R8, Y1, Y10); FMA8(R9, Y2, Y11)
#define FMA8x12 FMA8x8; FMA8(R10, Y3, Y12); FMA8(R11, Y1, Y13); FMA8(R12, Y2, Y14); FMA8(R13, Y3, Y15)

#define RUN8(again, loop, move, fma) \
again: \
	NEXT \
	move \
	ENTER(5) \
loop: \
	VMOVUPS (R15), Y0 \
	fma \
	ADDQ $32, R15 \
	INCQ R14 \
	JNZ loop \
	LEAVE(again, sums)

// func computeAVX2x16(arg *block)
TEXT ·computeAVX2x16(SB), NOSPLIT, $32-8
	MOVQ arg+0(FP), DI
	ZEROES
	CMPQ block_acc(DI), $0
	JE start
	LANES
	VMOVUPS (DX), Y2
	VMOVUPS 32(DX), Y3
	MOVQ block_c(DI), R8
	MOVQ block_cOff(DI), R10
	MOVQ block_m(DI), BX
	ROWS16(LOAD16, BX, start)

start:
	START(sums)
	POINTERS6
	RUN16(again6, loop6, MOVE6, FMA16x6)
	RUN16(again4, loop4, MOVE4, FMA16x4)
	RUN16(again2, loop2, MOVE2, FMA16x2)
	RUN16(again1, loop1, MOVE1, FMA16x1)

sums:
	MOVQ arg+0(FP), DI
	LANES
	VMOVUPS (DX), Y2
	VMOVUPS 32(DX), Y3
	MOVQ block_cOff(DI), R10
	MOVQ block_m(DI), BX
	MOVQ block_bias(DI), R9
	TESTQ R9, R9
	JZ residual
	VMASKMOVPS (R9), Y2, Y0
	VMASKMOVPS 32(R9), Y3, Y1
	VADDPS Y0, Y4, Y4
	VADDPS Y1, Y5, Y5
	VADDPS Y0, Y6, Y6
	VADDPS Y1, Y7, Y7
	VADDPS Y0, Y8, Y8
	VADDPS Y1, Y9, Y9
	VADDPS Y0, Y10, Y10
	VADDPS Y1, Y11, Y11
	VADDPS Y0, Y12, Y12
	VADDPS Y1, Y13, Y13
	VADDPS Y0, Y14, Y14
	VADDPS Y1, Y15, Y15

residual:
	MOVQ block_add(DI), R9
	TESTQ R9, R9
	JZ store
	ROWS16(RESIDUAL16, BX, store)

store:
	MOVQ block_c(DI), R8
	CMPQ block_n(DI), $16
	JNE partial
	ROWS16(STORE16, BX, done)
	JMP done

partial:
	ROWS16(PARTIAL16, BX, done)

done:
	VZEROUPPER
	RET

// func computeAVX2x8(arg *block)
TEXT ·computeAVX2x8(SB), NOSPLIT, $32-8
	MOVQ arg+0(FP), DI
	ZEROES
	CMPQ block_acc(DI), $0
	JE start
	LANES
	VMOVUPS (DX), Y2
	MOVQ block_c(DI), R8
	MOVQ block_cOff(DI), R10
	MOVQ block_m(DI), BX
	ROWS8(LOAD8, BX, start)

start:
	START(sums)
	POINTERS12
	RUN8(again12, loop12, MOVE12, FMA8x12)
	RUN8(again8, loop8, MOVE8, FMA8x8)
	RUN8(again4, loop4, MOVE4, FMA8x4)
	RUN8(again2, loop2, MOVE2, FMA8x2)
	RUN8(again1, loop1, MOVE1, FMA8x1)

sums:
	MOVQ arg+0(FP), DI
	LANES
	VMOVUPS (DX), Y2
	MOVQ block_cOff(DI), R10
	MOVQ block_m(DI), BX
	MOVQ block_bias(DI), R9
	TESTQ R9, R9
	JZ residual
	VMASKMOVPS (R9), Y2, Y0
	VADDPS Y0, Y4, Y4
	VADDPS Y0, Y5, Y5
	VADDPS Y0, Y6, Y6
	VADDPS Y0, Y7, Y7
	VADDPS Y0, Y8, Y8
	VADDPS Y0, Y9, Y9
	VADDPS Y0, Y10, Y10
	VADDPS Y0, Y11, Y11
	VADDPS Y0, Y12, Y12
	VADDPS Y0, Y13, Y13
	VADDPS Y0, Y14, Y14
	VADDPS Y0, Y15, Y15

residual:
	MOVQ block_add(DI), R9
	TESTQ R9, R9
	JZ store
	ROWS8(RESIDUAL8, BX, store)

store:
	MOVQ block_c(DI), R8
	CMPQ block_n(DI), $8
	JNE partial
	ROWS8(STORE8, BX, done)
	JMP done

partial:
	ROWS8(PARTIAL8, BX, done)

done:
	VZEROUPPER
	RET
