#include "textflag.h"
#include "vector_avx512.h"

// Several element-wise operations in one pass. Every operation rounds as it does by itself.

// FUSED stores what BODY makes in Z0 of the elements at byte offset R10 under the mask K1.
#define FUSED(BODY) \
	XORQ R10, R10 \
	KXNORW K1, K1, K1 \
	SUBQ $16, CX \
	JLT tail \
loop: \
	BODY \
	VMOVUPS Z0, (DI)(R10*1) \
	ADDQ $64, R10 \
	SUBQ $16, CX \
	JGE loop \
tail: \
	TAIL16 \
	BODY \
	VMOVUPS Z0, K1, (DI)(R10*1) \
done: \
	VZEROUPPER \
	RET

#define LOAD(from, to) VMOVUPS.Z (from)(R10*1), K1, to

// MULADD leaves a*b + c in Z0.
#define MULADD \
	LOAD(SI, Z0) \
	LOAD(DX, Z1) \
	LOAD(BX, Z2) \
	VFMADD213PS Z2, Z1, Z0

#define MULADDSILU \
	MULADD \
	SILU

#define MULADDSILUGRAD \
	MULADD \
	SILUGRAD \
	LOAD(R8, Z9) \
	VMULPS Z9, Z0, Z0

#define MULMULADD \
	LOAD(BX, Z1) \
	LOAD(R8, Z2) \
	VMULPS Z2, Z1, Z1 \
	LOAD(SI, Z0) \
	LOAD(DX, Z3) \
	LOAD(R9, Z4) \
	VFMADD213PS Z1, Z3, Z0 \
	VADDPS Z4, Z0, Z0

#define DIFFERENCE \
	LOAD(SI, Z0) \
	LOAD(DX, Z1) \
	VSUBPS Z1, Z0, Z0

#define SUBMUL \
	DIFFERENCE \
	LOAD(BX, Z2) \
	VMULPS Z2, Z0, Z0

#define SUBSQUARE \
	DIFFERENCE \
	VMULPS Z0, Z0, Z0

// func mulAddSiLUAVX512(dst, a, b, c *float32, n int)
TEXT ·mulAddSiLUAVX512(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ c+24(FP), BX
	MOVQ n+32(FP), CX
	EXPCONSTANTS
	SIGN
	FUSED(MULADDSILU)

// func mulAddSiLUGradAVX512(dst, a, b, c, d *float32, n int)
TEXT ·mulAddSiLUGradAVX512(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ c+24(FP), BX
	MOVQ d+32(FP), R8
	MOVQ n+40(FP), CX
	EXPCONSTANTS
	SIGN
	FUSED(MULADDSILUGRAD)

// func mulMulAddAVX512(dst, a, b, c, d, e *float32, n int)
TEXT ·mulMulAddAVX512(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ c+24(FP), BX
	MOVQ d+32(FP), R8
	MOVQ e+40(FP), R9
	MOVQ n+48(FP), CX
	FUSED(MULMULADD)

// func subMulAVX512(dst, a, b, c *float32, n int)
TEXT ·subMulAVX512(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ c+24(FP), BX
	MOVQ n+32(FP), CX
	FUSED(SUBMUL)

// func subSquareAVX512(dst, a, b *float32, n int)
TEXT ·subSquareAVX512(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ n+24(FP), CX
	FUSED(SUBSQUARE)
