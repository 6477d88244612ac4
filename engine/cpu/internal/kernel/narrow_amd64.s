#include "textflag.h"
#include "narrow_amd64.h"

// Rounding to bfloat16 in integers: half of the last place that stays, less one unless that
// place is odd, is added before the lower half is cut off. That carries into the exponent and to
// infinity as it should. NaN only gets its quiet bit.

// The odd words of a table of 32: upper halves of the elements of two registers.
DATA ·upperHalves+0(SB)/8, $0x0007000500030001
DATA ·upperHalves+8(SB)/8, $0x000f000d000b0009
DATA ·upperHalves+16(SB)/8, $0x0017001500130011
DATA ·upperHalves+24(SB)/8, $0x001f001d001b0019
DATA ·upperHalves+32(SB)/8, $0x0027002500230021
DATA ·upperHalves+40(SB)/8, $0x002f002d002b0029
DATA ·upperHalves+48(SB)/8, $0x0037003500330031
DATA ·upperHalves+56(SB)/8, $0x003f003d003b0039
GLOBL ·upperHalves(SB), RODATA|NOPTR, $64

// ROUND512 rounds the elements of z. Z31 holds 0x7fff, Z30 0x8000, Z29 0x10000, Z28 the quiet bit.
#define ROUND512(z, t, odd, nan) \
	VPTESTMD Z29, z, odd \
	VCMPPS $3, z, z, nan \
	VPADDD Z31, z, t \
	VPADDD Z30, z, odd, t \
	VPORD Z28, z, nan, t

// func narrowAVX512(dst *uint16, src *float32, n int)
TEXT ·narrowAVX512(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	MOVL $0x7fff, AX
	VPBROADCASTD AX, Z31
	MOVL $0x8000, AX
	VPBROADCASTD AX, Z30
	MOVL $0x10000, AX
	VPBROADCASTD AX, Z29
	MOVL $0x400000, AX
	VPBROADCASTD AX, Z28
	VMOVDQU64 ·upperHalves(SB), Z27

loop:
	BYTE $0x0f; BYTE $0x0d; BYTE $0x8f; LONG $NEXT // PREFETCHW NEXT(DI)
	VMOVUPS (SI), Z0
	VMOVUPS 64(SI), Z1
	ROUND512(Z0, Z2, K1, K2)
	ROUND512(Z1, Z3, K3, K4)
	VPERMT2W Z3, Z27, Z2
	VMOVDQU64 Z2, (DI)
	ADDQ $128, SI
	ADDQ $64, DI
	SUBQ $32, CX
	JNE loop
	VZEROUPPER
	RET

// func widenAVX512(dst *float32, src *uint16, rows, n, pitch int)
TEXT ·widenAVX512(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ rows+16(FP), DX
	MOVQ n+24(FP), R8
	MOVQ pitch+32(FP), R9
	SUBQ R8, R9 // what lies between rows
	SHLQ $2, R9

row:
	MOVQ R8, CX

loop:
	PREFETCHT0 NEXT(SI)
	VPMOVZXWD (SI), Z0
	VPMOVZXWD 32(SI), Z1
	VPSLLD $16, Z0, Z0
	VPSLLD $16, Z1, Z1
	VMOVDQU64 Z0, (DI)
	VMOVDQU64 Z1, 64(DI)
	ADDQ $64, SI
	ADDQ $128, DI
	SUBQ $32, CX
	JNE loop
	ADDQ R9, DI
	DECQ DX
	JNE row
	VZEROUPPER
	RET

// ROUND256 rounds the elements of y and moves them to the lower halves. Y15 holds 0x7fff, Y14 ones,
// Y13 the quiet bit.
#define ROUND256(y, t, u) \
	VPSRLD $16, y, t \
	VPAND Y14, t, t \
	VPADDD Y15, t, t \
	VPADDD y, t, t \
	VPOR Y13, y, u \
	VCMPPS $3, y, y, y \
	VBLENDVPS y, u, t, t \
	VPSRLD $16, t, y

// func narrowAVX2(dst *uint16, src *float32, n int)
TEXT ·narrowAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	MOVL $0x7fff, AX
	VMOVD AX, X15
	VPBROADCASTD X15, Y15
	MOVL $1, AX
	VMOVD AX, X14
	VPBROADCASTD X14, Y14
	MOVL $0x400000, AX
	VMOVD AX, X13
	VPBROADCASTD X13, Y13

loop:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	ROUND256(Y0, Y2, Y3)
	ROUND256(Y1, Y4, Y5)
	VPACKUSDW Y1, Y0, Y0
	VPERMQ $0xd8, Y0, Y0
	VMOVDQU Y0, (DI)
	ADDQ $64, SI
	ADDQ $32, DI
	SUBQ $16, CX
	JNE loop
	VZEROUPPER
	RET

// func widenAVX2(dst *float32, src *uint16, n int)
TEXT ·widenAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX

loop:
	VPMOVZXWD (SI), Y0
	VPMOVZXWD 16(SI), Y1
	VPSLLD $16, Y0, Y0
	VPSLLD $16, Y1, Y1
	VMOVDQU Y0, (DI)
	VMOVDQU Y1, 32(DI)
	ADDQ $32, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JNE loop
	VZEROUPPER
	RET
