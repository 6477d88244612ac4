#include "textflag.h"
#include "go_asm.h"
#include "micro_amd64.h"
#include "bf16_avx512_amd64.h"

// Micro-kernels for AVX-512: blocks of 12, 8, 4, 2 or 1 rows times a panel of 32 or 16 columns.
// Z0 and Z1 hold a row of the panel, Z2 to Z7 an element of a row of the left-hand side, Z8 to
// Z31 the sums. See micro_amd64.h for the other registers.

// The rows come in this order; a part that handles all of them leaves at the end of its block.
#define ROWS(DO, M, done) \
	DO(0, Z8, Z9) \
	CMPQ M, $1; JE done \
	DO(1, Z10, Z11) \
	CMPQ M, $2; JE done \
	DO(2, Z12, Z13) \
	DO(3, Z14, Z15) \
	CMPQ M, $4; JE done \
	DO(4, Z16, Z17) \
	DO(5, Z18, Z19) \
	DO(6, Z20, Z21) \
	DO(7, Z22, Z23) \
	CMPQ M, $8; JE done \
	DO(8, Z24, Z25) \
	DO(9, Z26, Z27) \
	DO(10, Z28, Z29) \
	DO(11, Z30, Z31)

#define ZERO(c) VPXORD c, c, c

#define ZEROEVEN \
	ZERO(Z8); ZERO(Z10); ZERO(Z12); ZERO(Z14); ZERO(Z16); ZERO(Z18) \
	ZERO(Z20); ZERO(Z22); ZERO(Z24); ZERO(Z26); ZERO(Z28); ZERO(Z30)

#define ZEROODD \
	ZERO(Z9); ZERO(Z11); ZERO(Z13); ZERO(Z15); ZERO(Z17); ZERO(Z19) \
	ZERO(Z21); ZERO(Z23); ZERO(Z25); ZERO(Z27); ZERO(Z29); ZERO(Z31)

// K1 and K2 select the columns of the block.
#define MASKS \
	MOVQ block_n(DI), CX \
	MOVQ $1, DX \
	SHLQ CX, DX \
	DECQ DX \
	KMOVW DX, K1 \
	SHRQ $16, DX \
	KMOVW DX, K2

// The output and the residual are at R8 and R9, their offsets at R10.
#define LOAD32(i, c0, c1) \
	MOVQ i*8(R10), AX \
	VMOVUPS.Z (R8)(AX*4), K1, c0 \
	VMOVUPS.Z 64(R8)(AX*4), K2, c1

#define LOAD16(i, c0, c1) \
	MOVQ i*8(R10), AX \
	VMOVUPS.Z (R8)(AX*4), K1, c0

#define RESIDUAL32(i, c0, c1) \
	MOVQ i*8(R10), AX \
	VADDPS (R9)(AX*4), c0, K1, c0 \
	VADDPS 64(R9)(AX*4), c1, K2, c1

#define RESIDUAL16(i, c0, c1) \
	MOVQ i*8(R10), AX \
	VADDPS (R9)(AX*4), c0, K1, c0

#define STORE32(i, c0, c1) \
	MOVQ i*8(R10), AX \
	VMOVUPS c0, K1, (R8)(AX*4) \
	VMOVUPS c1, K2, 64(R8)(AX*4)

#define STORE16(i, c0, c1) \
	MOVQ i*8(R10), AX \
	VMOVUPS c0, K1, (R8)(AX*4)

#define FMA32(p, x, c0, c1) \
	VBROADCASTSS (p)(R14*4), x \
	VFMADD231PS Z0, x, c0 \
	VFMADD231PS Z1, x, c1

#define FMA32x1 FMA32(AX, Z2, Z8, Z9)
#define FMA32x2 FMA32x1; FMA32(BX, Z3, Z10, Z11)
#define FMA32x4 FMA32x2; FMA32(CX, Z4, Z12, Z13); FMA32(DX, Z5, Z14, Z15)
#define FMA32x8 FMA32x4; FMA32(SI, Z6, Z16, Z17); FMA32(DI, Z7, Z18, Z19); FMA32(R8, Z2, Z20, Z21); FMA32(R9, Z3, Z22, Z23)
#define FMA32x12 FMA32x8; FMA32(R10, Z4, Z24, Z25); FMA32(R11, Z5, Z26, Z27); FMA32(R12, Z6, Z28, Z29); FMA32(R13, Z7, Z30, Z31)

// PAIRS32 is FMA32 for pairs of bfloat16: n is the number of x, and c and c+1 are those of the sums.
#define PAIRS32(p, x, n, c) \
	VBROADCASTSS (p)(R14*4), x \
	DPBF16(0, n, c) \
	DPBF16(1, n, c+1)

#define PAIRS32x1 PAIRS32(AX, Z2, 2, 8)
#define PAIRS32x2 PAIRS32x1; PAIRS32(BX, Z3, 3, 10)
#define PAIRS32x4 PAIRS32x2; PAIRS32(CX, Z4, 4, 12); PAIRS32(DX, Z5, 5, 14)
#define PAIRS32x8 PAIRS32x4; PAIRS32(SI, Z6, 6, 16); PAIRS32(DI, Z7, 7, 18); PAIRS32(R8, Z2, 2, 20); PAIRS32(R9, Z3, 3, 22)
#define PAIRS32x12 PAIRS32x8; PAIRS32(R10, Z4, 4, 24); PAIRS32(R11, Z5, 5, 26); PAIRS32(R12, Z6, 6, 28); PAIRS32(R13, Z7, 7, 30)

#define RUN32(again, loop, pairs, end, move, fma, dot) \
again: \
	NEXT \
	move \
	ENTER(7) \
	CMPQ bf16-40(SP), $0 \
	JNE pairs \
loop: \
	VMOVUPS (R15), Z0 \
	VMOVUPS 64(R15), Z1 \
	fma \
	ADDQ $128, R15 \
	INCQ R14 \
	JNZ loop \
	JMP end \
pairs: \
	VMOVUPS (R15), Z0 \
	VMOVUPS 64(R15), Z1 \
	dot \
	ADDQ $128, R15 \
	INCQ R14 \
	JNZ pairs \
end: \
	LEAVE(again, sums)

#define FMA16(p, x, c) \
	VBROADCASTSS (p)(R14*4), x \
	VFMADD231PS Z0, x, c

#define FMA16x1 FMA16(AX, Z2, Z8)
#define FMA16x2 FMA16x1; FMA16(BX, Z3, Z10)
#define FMA16x4 FMA16x2; FMA16(CX, Z4, Z12); FMA16(DX, Z5, Z14)
#define FMA16x8 FMA16x4; FMA16(SI, Z6, Z16); FMA16(DI, Z7, Z18); FMA16(R8, Z2, Z20); FMA16(R9, Z3, Z22)
#define FMA16x12 FMA16x8; FMA16(R10, Z4, Z24); FMA16(R11, Z5, Z26); FMA16(R12, Z6, Z28); FMA16(R13, Z7, Z30)

#define PAIRS16(p, x, n, c) \
	VBROADCASTSS (p)(R14*4), x \
	DPBF16(0, n, c)

#define PAIRS16x1 PAIRS16(AX, Z2, 2, 8)
#define PAIRS16x2 PAIRS16x1; PAIRS16(BX, Z3, 3, 10)
#define PAIRS16x4 PAIRS16x2; PAIRS16(CX, Z4, 4, 12); PAIRS16(DX, Z5, 5, 14)
#define PAIRS16x8 PAIRS16x4; PAIRS16(SI, Z6, 6, 16); PAIRS16(DI, Z7, 7, 18); PAIRS16(R8, Z2, 2, 20); PAIRS16(R9, Z3, 3, 22)
#define PAIRS16x12 PAIRS16x8; PAIRS16(R10, Z4, 4, 24); PAIRS16(R11, Z5, 5, 26); PAIRS16(R12, Z6, 6, 28); PAIRS16(R13, Z7, 7, 30)

#define RUN16(again, loop, pairs, end, move, fma, dot) \
again: \
	NEXT \
	move \
	ENTER(6) \
	CMPQ bf16-40(SP), $0 \
	JNE pairs \
loop: \
	VMOVUPS (R15), Z0 \
	fma \
	ADDQ $64, R15 \
	INCQ R14 \
	JNZ loop \
	JMP end \
pairs: \
	VMOVUPS (R15), Z0 \
	dot \
	ADDQ $64, R15 \
	INCQ R14 \
	JNZ pairs \
end: \
	LEAVE(again, sums)

// func computeAVX512x32(arg *block)
TEXT ·computeAVX512x32(SB), NOSPLIT, $40-8
	MOVQ arg+0(FP), DI
	MASKS
	ZEROEVEN
	ZEROODD
	CMPQ block_acc(DI), $0
	JE start
	MOVQ block_c(DI), R8
	MOVQ block_cOff(DI), R10
	MOVQ block_m(DI), BX
	ROWS(LOAD32, BX, start)

start:
	MOVQ block_bf16(DI), AX
	MOVQ AX, bf16-40(SP)
	START(sums)
	POINTERS12
	RUN32(again12, loop12, pairs12, end12, MOVE12, FMA32x12, PAIRS32x12)
	RUN32(again8, loop8, pairs8, end8, MOVE8, FMA32x8, PAIRS32x8)
	RUN32(again4, loop4, pairs4, end4, MOVE4, FMA32x4, PAIRS32x4)
	RUN32(again2, loop2, pairs2, end2, MOVE2, FMA32x2, PAIRS32x2)
	RUN32(again1, loop1, pairs1, end1, MOVE1, FMA32x1, PAIRS32x1)

sums:
	MOVQ arg+0(FP), DI
	MOVQ block_cOff(DI), R10
	MOVQ block_m(DI), BX
	MOVQ block_bias(DI), R9
	TESTQ R9, R9
	JZ residual
	VMOVUPS.Z (R9), K1, Z0
	VMOVUPS.Z 64(R9), K2, Z1
	VADDPS Z0, Z8, Z8
	VADDPS Z1, Z9, Z9
	VADDPS Z0, Z10, Z10
	VADDPS Z1, Z11, Z11
	VADDPS Z0, Z12, Z12
	VADDPS Z1, Z13, Z13
	VADDPS Z0, Z14, Z14
	VADDPS Z1, Z15, Z15
	VADDPS Z0, Z16, Z16
	VADDPS Z1, Z17, Z17
	VADDPS Z0, Z18, Z18
	VADDPS Z1, Z19, Z19
	VADDPS Z0, Z20, Z20
	VADDPS Z1, Z21, Z21
	VADDPS Z0, Z22, Z22
	VADDPS Z1, Z23, Z23
	VADDPS Z0, Z24, Z24
	VADDPS Z1, Z25, Z25
	VADDPS Z0, Z26, Z26
	VADDPS Z1, Z27, Z27
	VADDPS Z0, Z28, Z28
	VADDPS Z1, Z29, Z29
	VADDPS Z0, Z30, Z30
	VADDPS Z1, Z31, Z31

residual:
	MOVQ block_add(DI), R9
	TESTQ R9, R9
	JZ store
	ROWS(RESIDUAL32, BX, store)

store:
	MOVQ block_c(DI), R8
	ROWS(STORE32, BX, done)

done:
	VZEROUPPER
	RET

// func computeAVX512x16(arg *block)
TEXT ·computeAVX512x16(SB), NOSPLIT, $40-8
	MOVQ arg+0(FP), DI
	MASKS
	ZEROEVEN
	CMPQ block_acc(DI), $0
	JE start
	MOVQ block_c(DI), R8
	MOVQ block_cOff(DI), R10
	MOVQ block_m(DI), BX
	ROWS(LOAD16, BX, start)

start:
	MOVQ block_bf16(DI), AX
	MOVQ AX, bf16-40(SP)
	START(sums)
	POINTERS12
	RUN16(again12, loop12, pairs12, end12, MOVE12, FMA16x12, PAIRS16x12)
	RUN16(again8, loop8, pairs8, end8, MOVE8, FMA16x8, PAIRS16x8)
	RUN16(again4, loop4, pairs4, end4, MOVE4, FMA16x4, PAIRS16x4)
	RUN16(again2, loop2, pairs2, end2, MOVE2, FMA16x2, PAIRS16x2)
	RUN16(again1, loop1, pairs1, end1, MOVE1, FMA16x1, PAIRS16x1)

sums:
	MOVQ arg+0(FP), DI
	MOVQ block_cOff(DI), R10
	MOVQ block_m(DI), BX
	MOVQ block_bias(DI), R9
	TESTQ R9, R9
	JZ residual
	VMOVUPS.Z (R9), K1, Z0
	VADDPS Z0, Z8, Z8
	VADDPS Z0, Z10, Z10
	VADDPS Z0, Z12, Z12
	VADDPS Z0, Z14, Z14
	VADDPS Z0, Z16, Z16
	VADDPS Z0, Z18, Z18
	VADDPS Z0, Z20, Z20
	VADDPS Z0, Z22, Z22
	VADDPS Z0, Z24, Z24
	VADDPS Z0, Z26, Z26
	VADDPS Z0, Z28, Z28
	VADDPS Z0, Z30, Z30

residual:
	MOVQ block_add(DI), R9
	TESTQ R9, R9
	JZ store
	ROWS(RESIDUAL16, BX, store)

store:
	MOVQ block_c(DI), R8
	ROWS(STORE16, BX, done)

done:
	VZEROUPPER
	RET
