#include "textflag.h"
#include "vector_avx512.h"

// Loops over vectors for AVX-512. The last elements are handled under the mask K1.

// BINARY applies OP(second, first and result) to the elements at SI and DX.
#define BINARY(OP) \
	MOVQ dst+0(FP), DI \
	MOVQ a+8(FP), SI \
	MOVQ b+16(FP), DX \
	MOVQ n+24(FP), CX \
	MOVQ stepA+32(FP), R8 \
	MOVQ stepB+40(FP), R9 \
	SHLQ $6, R8 \
	SHLQ $6, R9 \
	SUBQ $16, CX \
	JLT tail \
loop: \
	VMOVUPS (SI), Z0 \
	VMOVUPS (DX), Z1 \
	OP(Z1, Z0) \
	VMOVUPS Z0, (DI) \
	ADDQ R8, SI \
	ADDQ R9, DX \
	ADDQ $64, DI \
	SUBQ $16, CX \
	JGE loop \
tail: \
	TAIL16 \
	VMOVUPS.Z (SI), K1, Z0 \
	VMOVUPS.Z (DX), K1, Z1 \
	OP(Z1, Z0) \
	VMOVUPS Z0, K1, (DI) \
done: \
	VZEROUPPER \
	RET

// UNARY applies OP, which works on Z0, to the elements at SI.
#define UNARY(OP) \
	MOVQ dst+0(FP), DI \
	MOVQ a+8(FP), SI \
	MOVQ n+16(FP), CX \
	SUBQ $16, CX \
	JLT tail \
loop: \
	VMOVUPS (SI), Z0 \
	OP \
	VMOVUPS Z0, (DI) \
	ADDQ $64, SI \
	ADDQ $64, DI \
	SUBQ $16, CX \
	JGE loop \
tail: \
	TAIL16 \
	VMOVUPS.Z (SI), K1, Z0 \
	OP \
	VMOVUPS Z0, K1, (DI) \
done: \
	VZEROUPPER \
	RET

#define ADD(b, a) VADDPS b, a, a
#define SUB(b, a) VSUBPS b, a, a
#define MUL(b, a) VMULPS b, a, a
#define DIV(b, a) VDIVPS b, a, a

// VMAXPS and VMINPS return b if either is NaN; where a is, it stays.
#define MAX(b, a) VCMPPS $7, a, a, K2; VMAXPS b, a, K2, a
#define MIN(b, a) VCMPPS $7, a, a, K2; VMINPS b, a, K2, a

// func addAVX512(dst, a, b *float32, n, stepA, stepB int)
TEXT ·addAVX512(SB), NOSPLIT, $0-48
	BINARY(ADD)

// func subAVX512(dst, a, b *float32, n, stepA, stepB int)
TEXT ·subAVX512(SB), NOSPLIT, $0-48
	BINARY(SUB)

// func mulAVX512(dst, a, b *float32, n, stepA, stepB int)
TEXT ·mulAVX512(SB), NOSPLIT, $0-48
	BINARY(MUL)

// func divAVX512(dst, a, b *float32, n, stepA, stepB int)
TEXT ·divAVX512(SB), NOSPLIT, $0-48
	BINARY(DIV)

// func maxAVX512(dst, a, b *float32, n, stepA, stepB int)
TEXT ·maxAVX512(SB), NOSPLIT, $0-48
	BINARY(MAX)

// func minAVX512(dst, a, b *float32, n, stepA, stepB int)
TEXT ·minAVX512(SB), NOSPLIT, $0-48
	BINARY(MIN)

// func mulAddAVX512(dst, a, b, c *float32, n, stepB, stepC int)
TEXT ·mulAddAVX512(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ c+24(FP), BX
	MOVQ n+32(FP), CX
	MOVQ stepB+40(FP), R8
	MOVQ stepC+48(FP), R9
	SHLQ $6, R8
	SHLQ $6, R9
	SUBQ $16, CX
	JLT tail

loop:
	VMOVUPS (SI), Z0
	VMOVUPS (DX), Z1
	VFMADD213PS (BX), Z1, Z0
	VMOVUPS Z0, (DI)
	ADDQ $64, SI
	ADDQ R8, DX
	ADDQ R9, BX
	ADDQ $64, DI
	SUBQ $16, CX
	JGE loop

tail:
	TAIL16
	VMOVUPS.Z (SI), K1, Z0
	VMOVUPS.Z (DX), K1, Z1
	VMOVUPS.Z (BX), K1, Z2
	VFMADD213PS Z2, Z1, Z0
	VMOVUPS Z0, K1, (DI)

done:
	VZEROUPPER
	RET

#define NEG VPXORD Z27, Z0, Z0
#define ABS VPANDND Z0, Z27, Z0
#define SQRT VSQRTPS Z0, Z0

// func negAVX512(dst, a *float32, n int)
TEXT ·negAVX512(SB), NOSPLIT, $0-24
	SIGN
	UNARY(NEG)

// func absAVX512(dst, a *float32, n int)
TEXT ·absAVX512(SB), NOSPLIT, $0-24
	SIGN
	UNARY(ABS)

// func sqrtAVX512(dst, a *float32, n int)
TEXT ·sqrtAVX512(SB), NOSPLIT, $0-24
	UNARY(SQRT)

// func expAVX512(dst, a *float32, n int)
TEXT ·expAVX512(SB), NOSPLIT, $0-24
	EXPCONSTANTS
	UNARY(EXP)

// func logisticAVX512(dst, a *float32, n int)
TEXT ·logisticAVX512(SB), NOSPLIT, $0-24
	EXPCONSTANTS
	SIGN
	UNARY(LOGISTIC)

// func siluAVX512(dst, a *float32, n int)
TEXT ·siluAVX512(SB), NOSPLIT, $0-24
	EXPCONSTANTS
	SIGN
	UNARY(SILU)

// func siluGradAVX512(dst, a *float32, n int)
TEXT ·siluGradAVX512(SB), NOSPLIT, $0-24
	EXPCONSTANTS
	SIGN
	UNARY(SILUGRAD)

// TAIL8 is TAIL16 for 8 lanes.
#define TAIL8 \
	ADDQ $8, CX \
	JZ add \
	MOVQ $1, AX \
	SHLQ CX, AX \
	DECQ AX \
	KMOVW AX, K1

// TOTAL adds up the lanes of Z0 to Z3 in X0.
#define TOTAL \
	VADDPD Z1, Z0, Z0 \
	VADDPD Z3, Z2, Z2 \
	VADDPD Z2, Z0, Z0 \
	VEXTRACTF64X4 $1, Z0, Y1 \
	VADDPD Y1, Y0, Y0 \
	VEXTRACTF128 $1, Y0, X1 \
	VADDPD X1, X0, X0 \
	VUNPCKHPD X0, X0, X1 \
	VADDSD X1, X0, X0 \
	VZEROUPPER

// func sumAVX512(a *float32, n int) float64
TEXT ·sumAVX512(SB), NOSPLIT, $0-24
	MOVQ a+0(FP), SI
	MOVQ n+8(FP), CX
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	SUBQ $32, CX
	JLT rest

loop:
	VCVTPS2PD (SI), Z4
	VCVTPS2PD 32(SI), Z5
	VCVTPS2PD 64(SI), Z6
	VCVTPS2PD 96(SI), Z7
	VADDPD Z4, Z0, Z0
	VADDPD Z5, Z1, Z1
	VADDPD Z6, Z2, Z2
	VADDPD Z7, Z3, Z3
	ADDQ $128, SI
	SUBQ $32, CX
	JGE loop

rest:
	ADDQ $24, CX
	JLT tail

eight:
	VCVTPS2PD (SI), Z4
	VADDPD Z4, Z0, Z0
	ADDQ $32, SI
	SUBQ $8, CX
	JGE eight

tail:
	TAIL8
	VMOVUPS.Z (SI), K1, Y4
	VCVTPS2PD Y4, Z4
	VADDPD Z4, Z1, Z1

add:
	TOTAL
	MOVSD X0, ret+16(FP)
	RET

// func dotAVX512(a, b *float32, n int) float64
TEXT ·dotAVX512(SB), NOSPLIT, $0-32
	MOVQ a+0(FP), SI
	MOVQ b+8(FP), DX
	MOVQ n+16(FP), CX
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	SUBQ $32, CX
	JLT rest

loop:
	VCVTPS2PD (SI), Z4
	VCVTPS2PD 32(SI), Z5
	VCVTPS2PD 64(SI), Z6
	VCVTPS2PD 96(SI), Z7
	VCVTPS2PD (DX), Z8
	VCVTPS2PD 32(DX), Z9
	VCVTPS2PD 64(DX), Z10
	VCVTPS2PD 96(DX), Z11
	VFMADD231PD Z8, Z4, Z0
	VFMADD231PD Z9, Z5, Z1
	VFMADD231PD Z10, Z6, Z2
	VFMADD231PD Z11, Z7, Z3
	ADDQ $128, SI
	ADDQ $128, DX
	SUBQ $32, CX
	JGE loop

rest:
	ADDQ $24, CX
	JLT tail

eight:
	VCVTPS2PD (SI), Z4
	VCVTPS2PD (DX), Z8
	VFMADD231PD Z8, Z4, Z0
	ADDQ $32, SI
	ADDQ $32, DX
	SUBQ $8, CX
	JGE eight

tail:
	TAIL8
	VMOVUPS.Z (SI), K1, Y4
	VMOVUPS.Z (DX), K1, Y8
	VCVTPS2PD Y4, Z4
	VCVTPS2PD Y8, Z8
	VFMADD231PD Z8, Z4, Z1

add:
	TOTAL
	MOVSD X0, ret+24(FP)
	RET

// func mulAddRowsAVX512(dst, a, s, t *float32, pixels, channels, stepS, stepT int)
//
// The channels are taken 64, 32 and at most 16 at a time, each time through all pixels.
TEXT ·mulAddRowsAVX512(SB), NOSPLIT, $0-64
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ s+16(FP), R8
	MOVQ t+24(FP), R9
	MOVQ pixels+32(FP), DX
	MOVQ channels+40(FP), CX
	MOVQ stepS+48(FP), R10
	MOVQ stepT+56(FP), R11
	MOVQ CX, BX
	SHLQ $2, BX // bytes from pixel to pixel

wide:
	CMPQ CX, $64
	JLT half
	VMOVUPS (R8), Z16
	VMOVUPS 64(R8), Z17
	VMOVUPS 128(R8), Z18
	VMOVUPS 192(R8), Z19
	VMOVUPS (R9), Z20
	VMOVUPS 64(R9), Z21
	VMOVUPS 128(R9), Z22
	VMOVUPS 192(R9), Z23
	MOVQ DI, R12
	MOVQ SI, R13
	MOVQ DX, AX

wideloop:
	VMOVUPS (R13), Z0
	VMOVUPS 64(R13), Z1
	VMOVUPS 128(R13), Z2
	VMOVUPS 192(R13), Z3
	VFMADD213PS Z20, Z16, Z0
	VFMADD213PS Z21, Z17, Z1
	VFMADD213PS Z22, Z18, Z2
	VFMADD213PS Z23, Z19, Z3
	VMOVUPS Z0, (R12)
	VMOVUPS Z1, 64(R12)
	VMOVUPS Z2, 128(R12)
	VMOVUPS Z3, 192(R12)
	ADDQ BX, R12
	ADDQ BX, R13
	DECQ AX
	JNZ wideloop
	ADDQ $256, DI
	ADDQ $256, SI
	MOVQ R10, R12
	SHLQ $8, R12
	ADDQ R12, R8
	MOVQ R11, R13
	SHLQ $8, R13
	ADDQ R13, R9
	SUBQ $64, CX
	JMP wide

half:
	CMPQ CX, $32
	JLT narrow
	VMOVUPS (R8), Z16
	VMOVUPS 64(R8), Z17
	VMOVUPS (R9), Z20
	VMOVUPS 64(R9), Z21
	MOVQ DI, R12
	MOVQ SI, R13
	MOVQ DX, AX

halfloop:
	VMOVUPS (R13), Z0
	VMOVUPS 64(R13), Z1
	VFMADD213PS Z20, Z16, Z0
	VFMADD213PS Z21, Z17, Z1
	VMOVUPS Z0, (R12)
	VMOVUPS Z1, 64(R12)
	ADDQ BX, R12
	ADDQ BX, R13
	DECQ AX
	JNZ halfloop
	ADDQ $128, DI
	ADDQ $128, SI
	MOVQ R10, R12
	SHLQ $7, R12
	ADDQ R12, R8
	MOVQ R11, R13
	SHLQ $7, R13
	ADDQ R13, R9
	SUBQ $32, CX

narrow:
	TESTQ CX, CX
	JLE done
	MOVQ $0xffff, AX
	CMPQ CX, $16
	JGE mask
	MOVQ $1, AX
	SHLQ CX, AX
	DECQ AX

mask:
	KMOVW AX, K1
	VMOVUPS.Z (R8), K1, Z16
	VMOVUPS.Z (R9), K1, Z20
	MOVQ DI, R12
	MOVQ SI, R13
	MOVQ DX, AX

narrowloop:
	VMOVUPS.Z (R13), K1, Z0
	VFMADD213PS Z20, Z16, Z0
	VMOVUPS Z0, K1, (R12)
	ADDQ BX, R12
	ADDQ BX, R13
	DECQ AX
	JNZ narrowloop
	ADDQ $64, DI
	ADDQ $64, SI
	MOVQ R10, R12
	SHLQ $6, R12
	ADDQ R12, R8
	MOVQ R11, R13
	SHLQ $6, R13
	ADDQ R13, R9
	SUBQ $16, CX
	JMP narrow

done:
	VZEROUPPER
	RET

// func colSumAVX512(part, x *float32, rows, stride, n int)
TEXT ·colSumAVX512(SB), NOSPLIT, $0-40
	MOVQ part+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ rows+16(FP), DX
	MOVQ stride+24(FP), BX
	MOVQ n+32(FP), CX
	SHLQ $2, BX
	CMPQ CX, $64
	JNE half
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3

wideloop:
	VADDPS (SI), Z0, Z0
	VADDPS 64(SI), Z1, Z1
	VADDPS 128(SI), Z2, Z2
	VADDPS 192(SI), Z3, Z3
	ADDQ BX, SI
	DECQ DX
	JNZ wideloop
	VMOVUPS Z0, (DI)
	VMOVUPS Z1, 64(DI)
	VMOVUPS Z2, 128(DI)
	VMOVUPS Z3, 192(DI)
	JMP done

half:
	CMPQ CX, $32
	JLT narrow
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	MOVQ SI, R13
	MOVQ DX, R8

halfloop:
	VADDPS (R13), Z0, Z0
	VADDPS 64(R13), Z1, Z1
	ADDQ BX, R13
	DECQ R8
	JNZ halfloop
	VMOVUPS Z0, (DI)
	VMOVUPS Z1, 64(DI)
	ADDQ $128, SI
	ADDQ $128, DI
	SUBQ $32, CX

narrow:
	TESTQ CX, CX
	JLE done
	MOVQ $0xffff, AX
	CMPQ CX, $16
	JGE mask
	MOVQ $1, AX
	SHLQ CX, AX
	DECQ AX

mask:
	KMOVW AX, K1
	VPXORD Z0, Z0, Z0
	MOVQ SI, R13
	MOVQ DX, R8

narrowloop:
	VMOVUPS.Z (R13), K1, Z1
	VADDPS Z1, Z0, Z0
	ADDQ BX, R13
	DECQ R8
	JNZ narrowloop
	VMOVUPS Z0, K1, (DI)
	ADDQ $64, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JMP narrow

done:
	VZEROUPPER
	RET

// func colDotAVX512(part, x, y *float32, rows, stride, n int)
TEXT ·colDotAVX512(SB), NOSPLIT, $0-48
	MOVQ part+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), R9
	MOVQ rows+24(FP), DX
	MOVQ stride+32(FP), BX
	MOVQ n+40(FP), CX
	SHLQ $2, BX
	CMPQ CX, $64
	JNE half
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3

wideloop:
	VMOVUPS (SI), Z4
	VMOVUPS 64(SI), Z5
	VMOVUPS 128(SI), Z6
	VMOVUPS 192(SI), Z7
	VFMADD231PS (R9), Z4, Z0
	VFMADD231PS 64(R9), Z5, Z1
	VFMADD231PS 128(R9), Z6, Z2
	VFMADD231PS 192(R9), Z7, Z3
	ADDQ BX, SI
	ADDQ BX, R9
	DECQ DX
	JNZ wideloop
	VMOVUPS Z0, (DI)
	VMOVUPS Z1, 64(DI)
	VMOVUPS Z2, 128(DI)
	VMOVUPS Z3, 192(DI)
	JMP done

half:
	CMPQ CX, $32
	JLT narrow
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	MOVQ SI, R13
	MOVQ R9, R12
	MOVQ DX, R8

halfloop:
	VMOVUPS (R13), Z4
	VMOVUPS 64(R13), Z5
	VFMADD231PS (R12), Z4, Z0
	VFMADD231PS 64(R12), Z5, Z1
	ADDQ BX, R13
	ADDQ BX, R12
	DECQ R8
	JNZ halfloop
	VMOVUPS Z0, (DI)
	VMOVUPS Z1, 64(DI)
	ADDQ $128, SI
	ADDQ $128, R9
	ADDQ $128, DI
	SUBQ $32, CX

narrow:
	TESTQ CX, CX
	JLE done
	MOVQ $0xffff, AX
	CMPQ CX, $16
	JGE mask
	MOVQ $1, AX
	SHLQ CX, AX
	DECQ AX

mask:
	KMOVW AX, K1
	VPXORD Z0, Z0, Z0
	MOVQ SI, R13
	MOVQ R9, R12
	MOVQ DX, R8

narrowloop:
	VMOVUPS.Z (R13), K1, Z4
	VMOVUPS.Z (R12), K1, Z5
	VFMADD231PS Z5, Z4, Z0
	ADDQ BX, R13
	ADDQ BX, R12
	DECQ R8
	JNZ narrowloop
	VMOVUPS Z0, K1, (DI)
	ADDQ $64, SI
	ADDQ $64, R9
	ADDQ $64, DI
	SUBQ $16, CX
	JMP narrow

done:
	VZEROUPPER
	RET

// func peakAVX512(n int)
TEXT ·peakAVX512(SB), NOSPLIT, $0-8
	MOVQ n+0(FP), CX
	VPXORD Z0, Z0, Z0

loop:
	VFMADD231PS Z0, Z0, Z8
	VFMADD231PS Z0, Z0, Z9
	VFMADD231PS Z0, Z0, Z10
	VFMADD231PS Z0, Z0, Z11
	VFMADD231PS Z0, Z0, Z12
	VFMADD231PS Z0, Z0, Z13
	VFMADD231PS Z0, Z0, Z14
	VFMADD231PS Z0, Z0, Z15
	VFMADD231PS Z0, Z0, Z16
	VFMADD231PS Z0, Z0, Z17
	VFMADD231PS Z0, Z0, Z18
	VFMADD231PS Z0, Z0, Z19
	DECQ CX
	JNZ loop
	VZEROUPPER
	RET
