#include "textflag.h"
#include "vector_avx2.h"

// Loops over vectors for AVX2 and FMA. The last elements are handled under the mask Y15.

// TAIL8 sets Y15 to the first CX+8 lanes, CX being what is left after subtracting 8 too often.
#define TAIL8(done) \
	ADDQ $8, CX \
	JZ done \
	LANES(CX)

// LANES sets Y15 to the first n <= 8 lanes.
#define LANES(n) \
	MOVQ $16, R10 \
	SUBQ n, R10 \
	LEAQ ·lanes(SB), R11 \
	VMOVUPS (R11)(R10*4), Y15

// BINARY applies OP(second, first and result) to the elements at SI and DX.
#define BINARY(OP) \
	MOVQ dst+0(FP), DI \
	MOVQ a+8(FP), SI \
	MOVQ b+16(FP), DX \
	MOVQ n+24(FP), CX \
	MOVQ stepA+32(FP), R8 \
	MOVQ stepB+40(FP), R9 \
	SHLQ $5, R8 \
	SHLQ $5, R9 \
	SUBQ $8, CX \
	JLT tail \
loop: \
	VMOVUPS (SI), Y0 \
	VMOVUPS (DX), Y1 \
	OP(Y1, Y0) \
	VMOVUPS Y0, (DI) \
	ADDQ R8, SI \
	ADDQ R9, DX \
	ADDQ $32, DI \
	SUBQ $8, CX \
	JGE loop \
tail: \
	TAIL8(done) \
	VMASKMOVPS (SI), Y15, Y0 \
	VMASKMOVPS (DX), Y15, Y1 \
	OP(Y1, Y0) \
	VMASKMOVPS Y0, Y15, (DI) \
done: \
	VZEROUPPER \
	RET

// UNARY applies OP, which works on Y0, to the elements at SI. The mask of
// the last ones is loaded twice, because OP may need all registers.
#define UNARY(OP) \
	MOVQ dst+0(FP), DI \
	MOVQ a+8(FP), SI \
	MOVQ n+16(FP), CX \
	SUBQ $8, CX \
	JLT tail \
loop: \
	VMOVUPS (SI), Y0 \
	OP \
	VMOVUPS Y0, (DI) \
	ADDQ $32, SI \
	ADDQ $32, DI \
	SUBQ $8, CX \
	JGE loop \
tail: \
	ADDQ $8, CX \
	JZ done \
	MOVQ $16, R10 \
	SUBQ CX, R10 \
	LEAQ ·lanes(SB), R11 \
	LEAQ (R11)(R10*4), R11 \
	VMOVUPS (R11), Y0 \
	VMASKMOVPS (SI), Y0, Y0 \
	OP \
	VMOVUPS (R11), Y1 \
	VMASKMOVPS Y0, Y1, (DI) \
done: \
	VZEROUPPER \
	RET

#define ADD(b, a) VADDPS b, a, a
#define SUB(b, a) VSUBPS b, a, a
#define MUL(b, a) VMULPS b, a, a
#define DIV(b, a) VDIVPS b, a, a

// VMAXPS and VMINPS return b if either is NaN; where a is, it stays.
#define MAX(b, a) VCMPPS $3, a, a, Y2; VMAXPS b, a, Y3; VBLENDVPS Y2, a, Y3, a
#define MIN(b, a) VCMPPS $3, a, a, Y2; VMINPS b, a, Y3; VBLENDVPS Y2, a, Y3, a

// func addAVX2(dst, a, b *float32, n, stepA, stepB int)
TEXT ·addAVX2(SB), NOSPLIT, $0-48
	BINARY(ADD)

// func subAVX2(dst, a, b *float32, n, stepA, stepB int)
TEXT ·subAVX2(SB), NOSPLIT, $0-48
	BINARY(SUB)

// func mulAVX2(dst, a, b *float32, n, stepA, stepB int)
TEXT ·mulAVX2(SB), NOSPLIT, $0-48
	BINARY(MUL)

// func divAVX2(dst, a, b *float32, n, stepA, stepB int)
TEXT ·divAVX2(SB), NOSPLIT, $0-48
	BINARY(DIV)

// func maxAVX2(dst, a, b *float32, n, stepA, stepB int)
TEXT ·maxAVX2(SB), NOSPLIT, $0-48
	BINARY(MAX)

// func minAVX2(dst, a, b *float32, n, stepA, stepB int)
TEXT ·minAVX2(SB), NOSPLIT, $0-48
	BINARY(MIN)

// func mulAddAVX2(dst, a, b, c *float32, n, stepB, stepC int)
TEXT ·mulAddAVX2(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ c+24(FP), BX
	MOVQ n+32(FP), CX
	MOVQ stepB+40(FP), R8
	MOVQ stepC+48(FP), R9
	SHLQ $5, R8
	SHLQ $5, R9
	SUBQ $8, CX
	JLT tail

loop:
	VMOVUPS (SI), Y0
	VMOVUPS (DX), Y1
	VFMADD213PS (BX), Y1, Y0
	VMOVUPS Y0, (DI)
	ADDQ $32, SI
	ADDQ R8, DX
	ADDQ R9, BX
	ADDQ $32, DI
	SUBQ $8, CX
	JGE loop

tail:
	TAIL8(done)
	VMASKMOVPS (SI), Y15, Y0
	VMASKMOVPS (DX), Y15, Y1
	VMASKMOVPS (BX), Y15, Y2
	VFMADD213PS Y2, Y1, Y0
	VMASKMOVPS Y0, Y15, (DI)

done:
	VZEROUPPER
	RET

#define NEG VXORPS Y5, Y0, Y0
#define ABS VANDNPS Y0, Y5, Y0
#define SQRT VSQRTPS Y0, Y0

// func negAVX2(dst, a *float32, n int)
TEXT ·negAVX2(SB), NOSPLIT, $0-24
	SIGN(Y5)
	UNARY(NEG)

// func absAVX2(dst, a *float32, n int)
TEXT ·absAVX2(SB), NOSPLIT, $0-24
	SIGN(Y5)
	UNARY(ABS)

// func sqrtAVX2(dst, a *float32, n int)
TEXT ·sqrtAVX2(SB), NOSPLIT, $0-24
	UNARY(SQRT)

// func expAVX2(dst, a *float32, n int)
TEXT ·expAVX2(SB), NOSPLIT, $0-24
	EXPCONSTANTS
	UNARY(EXP)

// func logisticAVX2(dst, a *float32, n int)
TEXT ·logisticAVX2(SB), NOSPLIT, $0-24
	EXPCONSTANTS
	SIGN(Y5)
	UNARY(LOGISTIC)

// func siluAVX2(dst, a *float32, n int)
TEXT ·siluAVX2(SB), NOSPLIT, $0-24
	EXPCONSTANTS
	SIGN(Y5)
	UNARY(SILU)

// func siluGradAVX2(dst, a *float32, n int)
TEXT ·siluGradAVX2(SB), NOSPLIT, $0-24
	EXPCONSTANTS
	SIGN(Y5)
	UNARY(SILUGRAD)

// TAIL4 sets X15 to the first CX+4 lanes.
#define TAIL4 \
	ADDQ $4, CX \
	JZ add \
	MOVQ $16, R10 \
	SUBQ CX, R10 \
	LEAQ ·lanes(SB), R11 \
	VMOVUPS (R11)(R10*4), X15

// TOTAL adds up the lanes of Y0 to Y3 in X0.
#define TOTAL \
	VADDPD Y1, Y0, Y0 \
	VADDPD Y3, Y2, Y2 \
	VADDPD Y2, Y0, Y0 \
	VEXTRACTF128 $1, Y0, X1 \
	VADDPD X1, X0, X0 \
	VUNPCKHPD X0, X0, X1 \
	VADDSD X1, X0, X0 \
	VZEROUPPER

// func sumAVX2(a *float32, n int) float64
TEXT ·sumAVX2(SB), NOSPLIT, $0-24
	MOVQ a+0(FP), SI
	MOVQ n+8(FP), CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	SUBQ $16, CX
	JLT rest

loop:
	VCVTPS2PD (SI), Y4
	VCVTPS2PD 16(SI), Y5
	VCVTPS2PD 32(SI), Y6
	VCVTPS2PD 48(SI), Y7
	VADDPD Y4, Y0, Y0
	VADDPD Y5, Y1, Y1
	VADDPD Y6, Y2, Y2
	VADDPD Y7, Y3, Y3
	ADDQ $64, SI
	SUBQ $16, CX
	JGE loop

rest:
	ADDQ $12, CX
	JLT tail

four:
	VCVTPS2PD (SI), Y4
	VADDPD Y4, Y0, Y0
	ADDQ $16, SI
	SUBQ $4, CX
	JGE four

tail:
	TAIL4
	VMASKMOVPS (SI), X15, X4
	VCVTPS2PD X4, Y4
	VADDPD Y4, Y1, Y1

add:
	TOTAL
	MOVSD X0, ret+16(FP)
	RET

// func dotAVX2(a, b *float32, n int) float64
TEXT ·dotAVX2(SB), NOSPLIT, $0-32
	MOVQ a+0(FP), SI
	MOVQ b+8(FP), DX
	MOVQ n+16(FP), CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	SUBQ $16, CX
	JLT rest

loop:
	VCVTPS2PD (SI), Y4
	VCVTPS2PD 16(SI), Y5
	VCVTPS2PD 32(SI), Y6
	VCVTPS2PD 48(SI), Y7
	VCVTPS2PD (DX), Y8
	VCVTPS2PD 16(DX), Y9
	VCVTPS2PD 32(DX), Y10
	VCVTPS2PD 48(DX), Y11
	VFMADD231PD Y8, Y4, Y0
	VFMADD231PD Y9, Y5, Y1
	VFMADD231PD Y10, Y6, Y2
	VFMADD231PD Y11, Y7, Y3
	ADDQ $64, SI
	ADDQ $64, DX
	SUBQ $16, CX
	JGE loop

rest:
	ADDQ $12, CX
	JLT tail

four:
	VCVTPS2PD (SI), Y4
	VCVTPS2PD (DX), Y8
	VFMADD231PD Y8, Y4, Y0
	ADDQ $16, SI
	ADDQ $16, DX
	SUBQ $4, CX
	JGE four

tail:
	TAIL4
	VMASKMOVPS (SI), X15, X4
	VMASKMOVPS (DX), X15, X8
	VCVTPS2PD X4, Y4
	VCVTPS2PD X8, Y8
	VFMADD231PD Y8, Y4, Y1

add:
	TOTAL
	MOVSD X0, ret+24(FP)
	RET

// func mulAddRowsAVX2(dst, a, s, t *float32, pixels, channels, stepS, stepT int)
//
// The channels are taken 32 and at most 8 at a time, each time through all pixels.
TEXT ·mulAddRowsAVX2(SB), NOSPLIT, $0-64
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ s+16(FP), R8
	MOVQ t+24(FP), R9
	MOVQ pixels+32(FP), DX
	MOVQ channels+40(FP), CX
	MOVQ CX, BX
	SHLQ $2, BX // bytes from pixel to pixel

wide:
	CMPQ CX, $32
	JLT narrow
	VMOVUPS (R8), Y4
	VMOVUPS 32(R8), Y5
	VMOVUPS 64(R8), Y6
	VMOVUPS 96(R8), Y7
	VMOVUPS (R9), Y8
	VMOVUPS 32(R9), Y9
	VMOVUPS 64(R9), Y10
	VMOVUPS 96(R9), Y11
	MOVQ DI, R12
	MOVQ SI, R13
	MOVQ DX, AX

wideloop:
	VMOVUPS (R13), Y0
	VMOVUPS 32(R13), Y1
	VMOVUPS 64(R13), Y2
	VMOVUPS 96(R13), Y3
	VFMADD213PS Y8, Y4, Y0
	VFMADD213PS Y9, Y5, Y1
	VFMADD213PS Y10, Y6, Y2
	VFMADD213PS Y11, Y7, Y3
	VMOVUPS Y0, (R12)
	VMOVUPS Y1, 32(R12)
	VMOVUPS Y2, 64(R12)
	VMOVUPS Y3, 96(R12)
	ADDQ BX, R12
	ADDQ BX, R13
	DECQ AX
	JNZ wideloop
	ADDQ $128, DI
	ADDQ $128, SI
	MOVQ stepS+48(FP), R12
	SHLQ $7, R12
	ADDQ R12, R8
	MOVQ stepT+56(FP), R13
	SHLQ $7, R13
	ADDQ R13, R9
	SUBQ $32, CX
	JMP wide

narrow:
	TESTQ CX, CX
	JLE done
	MOVQ $8, AX
	CMPQ CX, AX
	CMOVQLT CX, AX
	LANES(AX)
	VMASKMOVPS (R8), Y15, Y4
	VMASKMOVPS (R9), Y15, Y8
	MOVQ DI, R12
	MOVQ SI, R13
	MOVQ DX, AX
	CMPQ CX, $8
	JLT partloop

narrowloop:
	VMOVUPS (R13), Y0
	VFMADD213PS Y8, Y4, Y0
	VMOVUPS Y0, (R12)
	ADDQ BX, R12
	ADDQ BX, R13
	DECQ AX
	JNZ narrowloop
	ADDQ $32, DI
	ADDQ $32, SI
	MOVQ stepS+48(FP), R12
	SHLQ $5, R12
	ADDQ R12, R8
	MOVQ stepT+56(FP), R13
	SHLQ $5, R13
	ADDQ R13, R9
	SUBQ $8, CX
	JMP narrow

partloop:
	VMASKMOVPS (R13), Y15, Y0
	VFMADD213PS Y8, Y4, Y0
	VMASKMOVPS Y0, Y15, (R12)
	ADDQ BX, R12
	ADDQ BX, R13
	DECQ AX
	JNZ partloop

done:
	VZEROUPPER
	RET

// func colSumAVX2(part, x *float32, rows, stride, n int)
TEXT ·colSumAVX2(SB), NOSPLIT, $0-40
	MOVQ part+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ rows+16(FP), DX
	MOVQ stride+24(FP), BX
	MOVQ n+32(FP), CX
	SHLQ $2, BX

wide:
	CMPQ CX, $32
	JLT narrow
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	MOVQ SI, R13
	MOVQ DX, R8

wideloop:
	VADDPS (R13), Y0, Y0
	VADDPS 32(R13), Y1, Y1
	VADDPS 64(R13), Y2, Y2
	VADDPS 96(R13), Y3, Y3
	ADDQ BX, R13
	DECQ R8
	JNZ wideloop
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	VMOVUPS Y2, 64(DI)
	VMOVUPS Y3, 96(DI)
	ADDQ $128, SI
	ADDQ $128, DI
	SUBQ $32, CX
	JMP wide

narrow:
	TESTQ CX, CX
	JLE done
	MOVQ $8, AX
	CMPQ CX, AX
	CMOVQLT CX, AX
	LANES(AX)
	VXORPS Y0, Y0, Y0
	MOVQ SI, R13
	MOVQ DX, R8

narrowloop:
	VMASKMOVPS (R13), Y15, Y4
	VADDPS Y4, Y0, Y0
	ADDQ BX, R13
	DECQ R8
	JNZ narrowloop
	VMASKMOVPS Y0, Y15, (DI)
	ADDQ $32, SI
	ADDQ $32, DI
	SUBQ $8, CX
	JMP narrow

done:
	VZEROUPPER
	RET

// func colDotAVX2(part, x, y *float32, rows, stride, n int)
TEXT ·colDotAVX2(SB), NOSPLIT, $0-48
	MOVQ part+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), R9
	MOVQ rows+24(FP), DX
	MOVQ stride+32(FP), BX
	MOVQ n+40(FP), CX
	SHLQ $2, BX

wide:
	CMPQ CX, $32
	JLT narrow
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	MOVQ SI, R13
	MOVQ R9, R12
	MOVQ DX, R8

wideloop:
	VMOVUPS (R13), Y4
	VMOVUPS 32(R13), Y5
	VMOVUPS 64(R13), Y6
	VMOVUPS 96(R13), Y7
	VFMADD231PS (R12), Y4, Y0
	VFMADD231PS 32(R12), Y5, Y1
	VFMADD231PS 64(R12), Y6, Y2
	VFMADD231PS 96(R12), Y7, Y3
	ADDQ BX, R13
	ADDQ BX, R12
	DECQ R8
	JNZ wideloop
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	VMOVUPS Y2, 64(DI)
	VMOVUPS Y3, 96(DI)
	ADDQ $128, SI
	ADDQ $128, R9
	ADDQ $128, DI
	SUBQ $32, CX
	JMP wide

narrow:
	TESTQ CX, CX
	JLE done
	MOVQ $8, AX
	CMPQ CX, AX
	CMOVQLT CX, AX
	LANES(AX)
	VXORPS Y0, Y0, Y0
	MOVQ SI, R13
	MOVQ R9, R12
	MOVQ DX, R8

narrowloop:
	VMASKMOVPS (R13), Y15, Y4
	VMASKMOVPS (R12), Y15, Y5
	VFMADD231PS Y5, Y4, Y0
	ADDQ BX, R13
	ADDQ BX, R12
	DECQ R8
	JNZ narrowloop
	VMASKMOVPS Y0, Y15, (DI)
	ADDQ $32, SI
	ADDQ $32, R9
	ADDQ $32, DI
	SUBQ $8, CX
	JMP narrow

done:
	VZEROUPPER
	RET

// func peakAVX2(n int)
TEXT ·peakAVX2(SB), NOSPLIT, $0-8
	MOVQ n+0(FP), CX
	VXORPS Y0, Y0, Y0

loop:
	VFMADD231PS Y0, Y0, Y4
	VFMADD231PS Y0, Y0, Y5
	VFMADD231PS Y0, Y0, Y6
	VFMADD231PS Y0, Y0, Y7
	VFMADD231PS Y0, Y0, Y8
	VFMADD231PS Y0, Y0, Y9
	VFMADD231PS Y0, Y0, Y10
	VFMADD231PS Y0, Y0, Y11
	VFMADD231PS Y0, Y0, Y12
	VFMADD231PS Y0, Y0, Y13
	VFMADD231PS Y0, Y0, Y14
	VFMADD231PS Y0, Y0, Y15
	DECQ CX
	JNZ loop
	VZEROUPPER
	RET
