#include "textflag.h"
#include "vector_avx2.h"

// The functions of fused_avx512_amd64.s for AVX2 and FMA. n is a multiple of 8 and not 0.

// FUSED stores what BODY makes in Y0 of the elements at byte offset R10.
#define FUSED(BODY) \
	XORQ R10, R10 \
loop: \
	BODY \
	VMOVUPS Y0, (DI)(R10*1) \
	ADDQ $32, R10 \
	SUBQ $8, CX \
	JNZ loop \
	VZEROUPPER \
	RET

// MULADD leaves a*b + c in Y0.
#define MULADD \
	VMOVUPS (SI)(R10*1), Y0 \
	VMOVUPS (DX)(R10*1), Y1 \
	VFMADD213PS (BX)(R10*1), Y1, Y0

#define MULADDSILU \
	MULADD \
	SILU

#define MULADDSILUGRAD \
	MULADD \
	SILUGRAD \
	VMULPS (R8)(R10*1), Y0, Y0

#define MULMULADD \
	VMOVUPS (BX)(R10*1), Y1 \
	VMULPS (R8)(R10*1), Y1, Y1 \
	VMOVUPS (SI)(R10*1), Y0 \
	VMOVUPS (DX)(R10*1), Y2 \
	VFMADD213PS Y1, Y2, Y0 \
	VADDPS (R9)(R10*1), Y0, Y0

#define DIFFERENCE \
	VMOVUPS (SI)(R10*1), Y0 \
	VSUBPS (DX)(R10*1), Y0, Y0

#define SUBMUL \
	DIFFERENCE \
	VMULPS (BX)(R10*1), Y0, Y0

#define SUBSQUARE \
	DIFFERENCE \
	VMULPS Y0, Y0, Y0

// func mulAddSiLUAVX2(dst, a, b, c *float32, n int)
TEXT ·mulAddSiLUAVX2(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ c+24(FP), BX
	MOVQ n+32(FP), CX
	EXPCONSTANTS
	SIGN(Y5)
	FUSED(MULADDSILU)

// func mulAddSiLUGradAVX2(dst, a, b, c, d *float32, n int)
TEXT ·mulAddSiLUGradAVX2(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ c+24(FP), BX
	MOVQ d+32(FP), R8
	MOVQ n+40(FP), CX
	EXPCONSTANTS
	SIGN(Y5)
	FUSED(MULADDSILUGRAD)

// func mulMulAddAVX2(dst, a, b, c, d, e *float32, n int)
TEXT ·mulMulAddAVX2(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ c+24(FP), BX
	MOVQ d+32(FP), R8
	MOVQ e+40(FP), R9
	MOVQ n+48(FP), CX
	FUSED(MULMULADD)

// func subMulAVX2(dst, a, b, c *float32, n int)
TEXT ·subMulAVX2(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ c+24(FP), BX
	MOVQ n+32(FP), CX
	FUSED(SUBMUL)

// func subSquareAVX2(dst, a, b *float32, n int)
TEXT ·subSquareAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ n+24(FP), CX
	FUSED(SUBSQUARE)
