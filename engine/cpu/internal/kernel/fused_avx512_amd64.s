#include "textflag.h"
#include "vector_avx512.h"
#include "narrow_amd64.h"

// Several element-wise operations in one pass. Every operation rounds as it does by itself.

// FUSED stores what BODY makes in Z0 of the elements at byte offset R10*2, of bfloat16 numbers R10,
// under the mask K1.
#define FUSED(BODY) \
	XORQ R10, R10 \
	KXNORW K1, K1, K1 \
	SUBQ $16, CX \
	JLT tail \
loop: \
	BODY \
	VMOVUPS Z0, (DI)(R10*2) \
	ADDQ $32, R10 \
	SUBQ $16, CX \
	JGE loop \
tail: \
	TAIL16 \
	BODY \
	VMOVUPS Z0, K1, (DI)(R10*2) \
done: \
	VZEROUPPER \
	RET

#define LOAD(from, to) VMOVUPS.Z (from)(R10*2), K1, to

// LOADHALF widens bfloat16 numbers.
#define LOADHALF(from, to) \
	PREFETCHT0 NEXT(from)(R10*1) \
	VPMOVZXWD.Z (from)(R10*1), K1, to \
	VPSLLD $16, to, to

// MULADD leaves a*b + c in Z0. Here and below LOADA and LOADC load a and c.
#define MULADD(LOADA) \
	LOADA(SI, Z0) \
	LOAD(DX, Z1) \
	LOAD(BX, Z2) \
	VFMADD213PS Z2, Z1, Z0

#define MULADDSILU(LOADA) \
	MULADD(LOADA) \
	SILU

#define MULADDSILUGRAD(LOADA) \
	MULADD(LOADA) \
	SILUGRAD \
	LOAD(R8, Z9) \
	VMULPS Z9, Z0, Z0

#define MULMULADD(LOADA, LOADC) \
	LOADC(BX, Z1) \
	LOAD(R8, Z2) \
	VMULPS Z2, Z1, Z1 \
	LOADA(SI, Z0) \
	LOAD(DX, Z3) \
	LOAD(R9, Z4) \
	VFMADD213PS Z1, Z3, Z0 \
	VADDPS Z4, Z0, Z0

#define DIFFERENCE(LOADA) \
	LOADA(SI, Z0) \
	LOAD(DX, Z1) \
	VSUBPS Z1, Z0, Z0

#define SUBMUL(LOADA) \
	DIFFERENCE(LOADA) \
	LOAD(BX, Z2) \
	VMULPS Z2, Z0, Z0

#define SUBSQUARE \
	DIFFERENCE(LOAD) \
	VMULPS Z0, Z0, Z0

#define ADDHALF \
	LOAD(SI, Z0) \
	LOADHALF(DX, Z1) \
	VADDPS Z1, Z0, Z0

// FUSED2, FUSED3, FUSED4 and FUSED5 are functions of so many arguments.
#define FUSED2(BODY) \
	MOVQ dst+0(FP), DI \
	MOVQ a+8(FP), SI \
	MOVQ b+16(FP), DX \
	MOVQ n+24(FP), CX \
	FUSED(BODY)

#define FUSED3(BODY) \
	MOVQ dst+0(FP), DI \
	MOVQ a+8(FP), SI \
	MOVQ b+16(FP), DX \
	MOVQ c+24(FP), BX \
	MOVQ n+32(FP), CX \
	FUSED(BODY)

#define FUSED4(BODY) \
	MOVQ dst+0(FP), DI \
	MOVQ a+8(FP), SI \
	MOVQ b+16(FP), DX \
	MOVQ c+24(FP), BX \
	MOVQ d+32(FP), R8 \
	MOVQ n+40(FP), CX \
	FUSED(BODY)

#define FUSED5(BODY) \
	MOVQ dst+0(FP), DI \
	MOVQ a+8(FP), SI \
	MOVQ b+16(FP), DX \
	MOVQ c+24(FP), BX \
	MOVQ d+32(FP), R8 \
	MOVQ e+40(FP), R9 \
	MOVQ n+48(FP), CX \
	FUSED(BODY)

// func mulAddSiLUAVX512(dst, a, b, c *float32, n int)
TEXT ·mulAddSiLUAVX512(SB), NOSPLIT, $0-40
	EXPCONSTANTS
	SIGN
	FUSED3(MULADDSILU(LOAD))

// func mulAddSiLUHalfAVX512(dst *float32, a *uint16, b, c *float32, n int)
TEXT ·mulAddSiLUHalfAVX512(SB), NOSPLIT, $0-40
	EXPCONSTANTS
	SIGN
	FUSED3(MULADDSILU(LOADHALF))

// func mulAddSiLUGradAVX512(dst, a, b, c, d *float32, n int)
TEXT ·mulAddSiLUGradAVX512(SB), NOSPLIT, $0-48
	EXPCONSTANTS
	SIGN
	FUSED4(MULADDSILUGRAD(LOAD))

// func mulAddSiLUGradHalfAVX512(dst *float32, a *uint16, b, c, d *float32, n int)
TEXT ·mulAddSiLUGradHalfAVX512(SB), NOSPLIT, $0-48
	EXPCONSTANTS
	SIGN
	FUSED4(MULADDSILUGRAD(LOADHALF))

// func mulMulAddAVX512(dst, a, b, c, d, e *float32, n int)
TEXT ·mulMulAddAVX512(SB), NOSPLIT, $0-56
	FUSED5(MULMULADD(LOAD, LOAD))

// func mulMulAddHalfAAVX512(dst *float32, a *uint16, b, c, d, e *float32, n int)
TEXT ·mulMulAddHalfAAVX512(SB), NOSPLIT, $0-56
	FUSED5(MULMULADD(LOADHALF, LOAD))

// func mulMulAddHalfCAVX512(dst, a, b *float32, c *uint16, d, e *float32, n int)
TEXT ·mulMulAddHalfCAVX512(SB), NOSPLIT, $0-56
	FUSED5(MULMULADD(LOAD, LOADHALF))

// func mulMulAddHalfACAVX512(dst *float32, a *uint16, b *float32, c *uint16, d, e *float32, n int)
TEXT ·mulMulAddHalfACAVX512(SB), NOSPLIT, $0-56
	FUSED5(MULMULADD(LOADHALF, LOADHALF))

// func subMulAVX512(dst, a, b, c *float32, n int)
TEXT ·subMulAVX512(SB), NOSPLIT, $0-40
	FUSED3(SUBMUL(LOAD))

// func subMulHalfAVX512(dst *float32, a *uint16, b, c *float32, n int)
TEXT ·subMulHalfAVX512(SB), NOSPLIT, $0-40
	FUSED3(SUBMUL(LOADHALF))

// func subSquareAVX512(dst, a, b *float32, n int)
TEXT ·subSquareAVX512(SB), NOSPLIT, $0-32
	FUSED2(SUBSQUARE)

// func addHalfAVX512(dst, a *float32, b *uint16, n int)
TEXT ·addHalfAVX512(SB), NOSPLIT, $0-32
	FUSED2(ADDHALF)
