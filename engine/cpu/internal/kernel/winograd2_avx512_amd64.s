#include "textflag.h"
#include "go_asm.h"
#include "winograd_avx512_amd64.h"
#include "bf16_avx512_amd64.h"

// The transforms of F(2x2) for AVX-512.

// IN2COLUMN transforms d0 to d3, the result being o0 to o3.
#define IN2COLUMN(d0, d1, d2, d3, o0, o1, o2, o3) \
	VMOVUPS.Z d0, K1, o0 \
	VMOVUPS.Z d1, K1, Z20 \
	VMOVUPS.Z d2, K1, o2 \
	VMOVUPS.Z d3, K1, o3 \
	VADDPS o2, Z20, o1 \
	VSUBPS o2, o0, o0 \
	VSUBPS Z20, o2, o2 \
	VSUBPS Z20, o3, o3

// IN2POINTS transforms a row: its points are in z0, Z20, z2 and z3.
#define IN2POINTS(z0, z1, z2, z3) \
	VADDPS z2, z1, Z20 \
	VSUBPS z2, z0, z0 \
	VSUBPS z1, z2, z2 \
	VSUBPS z1, z3, z3

// IN2ROW transforms a row and stores it at the points from DI on; n is the number of z0.
#define IN2ROW(n, z0, z1, z2, z3) \
	IN2POINTS(z0, z1, z2, z3) \
	VMOVUPS z0, (DI) \
	VMOVUPS Z20, (DI)(SI*1) \
	VMOVUPS z2, (DI)(SI*2) \
	VMOVUPS z3, (DI)(DX*1) \
	LEAQ (DI)(SI*4), DI

// IN2BF16 is IN2ROW with bfloat16 for a result.
#define IN2BF16(n, z0, z1, z2, z3) \
	IN2POINTS(z0, z1, z2, z3) \
	TOBF16(n, 21) \
	TOBF16(20, 22) \
	TOBF16(n+8, 23) \
	TOBF16(n+12, 24) \
	VMOVUPS Y21, (DI) \
	VMOVUPS Y22, (DI)(SI*1) \
	VMOVUPS Y23, (DI)(SI*2) \
	VMOVUPS Y24, (DI)(DX*1) \
	LEAQ (DI)(SI*4), DI

// INPUT2 is the input transform, with ROW for each row of points, of which 16 channels take 1<<shift
// bytes.
#define INPUT2(ROW, shift) \
	MOVQ arg+0(FP), R15 \
	MOVQ winogradInput_channels(R15), CX \
	TAILMASK \
	MOVQ CX, vectors-8(SP) \
	SHLQ $6, CX \
	MOVQ winogradInput_step(R15), AX \
	SHLQ $2, AX \
	SUBQ CX, AX \
	MOVQ AX, srcNext-16(SP) \
	MOVQ winogradInput_pitch(R15), AX \
	SHLQ $2, AX \
	SHRQ $6-shift, CX \
	SUBQ CX, AX \
	MOVQ AX, dstNext-24(SP) \
	MOVQ winogradInput_tiles(R15), R12 \
	MOVQ winogradInput_src+0(R15), R8 \
	MOVQ winogradInput_src+24(R15), R9 \
	MOVQ winogradInput_src+48(R15), R10 \
	MOVQ winogradInput_src+72(R15), R11 \
	MOVQ winogradInput_dst(R15), DI \
	MOVQ winogradInput_pixel(R15), AX \
	SHLQ $2, AX \
	LEAQ (AX)(AX*2), BX \
	MOVQ winogradInput_point(R15), SI \
	SHLQ $2, SI \
	LEAQ (SI)(SI*2), DX \
tile: \
	KMOVW K3, K1 \
	MOVQ vectors-8(SP), R15 \
	MOVQ DI, R13 \
vector: \
	CMPQ R15, $1 \
	JNE columns \
	KMOVW K2, K1 \
columns: \
	IN2COLUMN((R8), (R9), (R10), (R11), Z0, Z1, Z2, Z3) \
	IN2COLUMN((R8)(AX*1), (R9)(AX*1), (R10)(AX*1), (R11)(AX*1), Z4, Z5, Z6, Z7) \
	IN2COLUMN((R8)(AX*2), (R9)(AX*2), (R10)(AX*2), (R11)(AX*2), Z8, Z9, Z10, Z11) \
	IN2COLUMN((R8)(BX*1), (R9)(BX*1), (R10)(BX*1), (R11)(BX*1), Z12, Z13, Z14, Z15) \
	ROW(0, Z0, Z4, Z8, Z12) \
	ROW(1, Z1, Z5, Z9, Z13) \
	ROW(2, Z2, Z6, Z10, Z14) \
	ROW(3, Z3, Z7, Z11, Z15) \
	ADDQ $64, R8 \
	ADDQ $64, R9 \
	ADDQ $64, R10 \
	ADDQ $64, R11 \
	ADDQ $1<<shift, R13 \
	MOVQ R13, DI \
	DECQ R15 \
	JNZ vector \
	MOVQ srcNext-16(SP), R15 \
	ADDQ R15, R8 \
	ADDQ R15, R9 \
	ADDQ R15, R10 \
	ADDQ R15, R11 \
	ADDQ dstNext-24(SP), DI \
	DECQ R12 \
	JNZ tile \
	VZEROUPPER \
	RET

// func winogradInput2AVX512(arg *winogradInput)
TEXT ·winogradInput2AVX512(SB), NOSPLIT, $40-8
	INPUT2(IN2ROW, 6)

// func winogradInput2BF16(arg *winogradInput)
TEXT ·winogradInput2BF16(SB), NOSPLIT, $40-8
	INPUT2(IN2BF16, 5)

// OUT2COLUMN transforms column SI of M, the rows of which are AX apart, and goes to the next.
#define OUT2COLUMN(o0, o1) \
	VMOVUPS (SI)(AX*1), o1 \
	VADDPS (SI)(AX*2), o1, o0 \
	VSUBPS (SI)(AX*2), o1, o1 \
	VADDPS (SI), o0, o0 \
	VADDPS (SI)(BX*1), o1, o1 \
	ADDQ DX, SI

// OUT2ROW transforms a row, adds the bias at DI and the residual, if any, and stores the pixels.
#define OUT2ROW(z0, z1, z2, z3, store) \
	VADDPS z2, z1, Z8 \
	VSUBPS z2, z1, z1 \
	VADDPS Z8, z0, z0 \
	VADDPS z3, z1, z1 \
	VADDPS (DI), z0, z0 \
	VADDPS (DI), z1, z1 \
	TESTQ R12, R12 \
	JZ store \
	VADDPS (R13), z0, K1, z0 \
	VADDPS (R13)(R10*1), z1, K1, z1 \
	ADDQ R9, R13 \
store: \
	VMOVUPS z0, K1, (R8) \
	VMOVUPS z1, K1, (R8)(R10*1) \
	ADDQ R9, R8

// func winogradOutput2AVX512(arg *winogradOutput)
TEXT ·winogradOutput2AVX512(SB), NOSPLIT, $56-8
	MOVQ arg+0(FP), R15
	MOVQ winogradOutput_channels(R15), CX
	TAILMASK
	MOVQ CX, vectors-8(SP)
	SHLQ $6, CX
	MOVQ winogradOutput_pitch(R15), AX
	SHLQ $2, AX
	SUBQ CX, AX
	MOVQ AX, srcNext-16(SP)
	MOVQ winogradOutput_step(R15), AX
	SHLQ $2, AX
	SUBQ CX, AX
	MOVQ AX, dstNext-24(SP)
	MOVQ winogradOutput_tiles(R15), AX
	MOVQ AX, tiles-32(SP)
	MOVQ winogradOutput_bias(R15), AX
	MOVQ AX, bias-40(SP)
	MOVQ winogradOutput_src(R15), SI
	MOVQ winogradOutput_dst(R15), R8
	MOVQ winogradOutput_add(R15), R12
	TESTQ R12, R12
	JZ sizes
	SUBQ R8, R12

sizes:
	MOVQ winogradOutput_row(R15), R9
	SHLQ $2, R9
	MOVQ winogradOutput_pixel(R15), R10
	SHLQ $2, R10
	MOVQ winogradOutput_point(R15), DX
	SHLQ $2, DX
	LEAQ (DX*4), AX                      // rows of M are four points apart
	LEAQ (AX)(AX*2), BX

tile:
	KMOVW K3, K1
	MOVQ vectors-8(SP), R15
	MOVQ bias-40(SP), DI

vector:
	CMPQ R15, $1
	JNE columns
	KMOVW K2, K1

columns:
	MOVQ SI, src-48(SP)
	MOVQ R8, dst-56(SP)
	LEAQ (R8)(R12*1), R13
	OUT2COLUMN(Z0, Z4)
	OUT2COLUMN(Z1, Z5)
	OUT2COLUMN(Z2, Z6)
	OUT2COLUMN(Z3, Z7)
	OUT2ROW(Z0, Z1, Z2, Z3, store0)
	OUT2ROW(Z4, Z5, Z6, Z7, store1)
	MOVQ src-48(SP), SI
	MOVQ dst-56(SP), R8
	ADDQ $64, SI
	ADDQ $64, R8
	ADDQ $64, DI
	DECQ R15
	JNZ vector

	ADDQ srcNext-16(SP), SI
	ADDQ dstNext-24(SP), R8
	DECQ tiles-32(SP)
	JNZ tile
	VZEROUPPER
	RET
