#include "textflag.h"
#include "go_asm.h"
#include "winograd_avx512_amd64.h"
#include "bf16_avx512_amd64.h"

// The transforms of F(4x4) for AVX-512. They work on 16 channels of a tile at a time, entirely in
// registers. See winograd_transform.go for what is computed.

// The powers of the points that the input transform needs.
#define ZA Z28
#define ZB Z29
#define ZA2 Z30
#define ZB2 Z31

// IN4ABOVE makes points 0, a, -a and infinity of a column d0 to d5, in o0 to o3.
#define IN4ABOVE(d0, d1, d2, d3, d4, d5, o0, o1, o2, o3) \
	VMOVUPS.Z d2, K1, o0 \
	VMOVUPS.Z d4, K1, o1 \
	VMOVUPS.Z d3, K1, Z26 \
	VMOVUPS.Z d5, K1, o3 \
	VFNMADD231PS o0, ZB2, o1 \
	VFMSUB231PS d0, ZB2, K1, o0 \
	VFNMADD231PS Z26, ZB2, o3 \
	VFNMADD231PS d1, ZB2, K1, Z26 \
	VFMADD213PS o1, ZA2, o0 \
	VFNMADD231PS Z26, ZA2, o3 \
	VMOVAPS o1, o2 \
	VFMADD231PS Z26, ZA, o1 \
	VFNMADD231PS Z26, ZA, o2

// IN4BELOW makes points b and -b of a column, in o4 and o5.
#define IN4BELOW(d1, d2, d3, d4, o4, o5) \
	VMOVUPS.Z d4, K1, o4 \
	VMOVUPS.Z d3, K1, Z26 \
	VFNMADD231PS d2, ZA2, K1, o4 \
	VFNMADD231PS d1, ZA2, K1, Z26 \
	VMOVAPS o4, o5 \
	VFMADD231PS Z26, ZB, o4 \
	VFNMADD231PS Z26, ZB, o5

// IN4POINTS transforms a row: its points are in z0, Z26, z1, z5, z4 and z2.
#define IN4POINTS(z0, z1, z2, z3, z4, z5) \
	VMOVAPS z4, Z26 \
	VMOVAPS z3, Z27 \
	VFNMADD231PS z2, ZB2, Z26 \
	VFNMADD231PS z1, ZB2, Z27 \
	VFMSUB213PS z2, ZB2, z0 \
	VFNMADD231PS z3, ZB2, z5 \
	VFNMADD231PS z2, ZA2, z4 \
	VFNMADD231PS z1, ZA2, z3 \
	VFMADD213PS Z26, ZA2, z0 \
	VFNMADD231PS Z27, ZA2, z5 \
	VMOVAPS Z26, z1 \
	VMOVAPS z4, z2 \
	VFMADD231PS Z27, ZA, Z26 \
	VFNMADD231PS Z27, ZA, z1 \
	VFMADD231PS z3, ZB, z4 \
	VFNMADD231PS z3, ZB, z2

// IN4FETCH asks for what the points from DI on have in the next vectors.
#define IN4FETCH \
	PREFETCHT0 128(DI) \
	PREFETCHT0 128(DI)(SI*1) \
	PREFETCHT0 128(DI)(SI*2) \
	PREFETCHT0 128(DI)(DX*1) \
	PREFETCHT0 128(DI)(SI*4) \
	PREFETCHT0 128(DI)(R14*1)

// IN4ROW transforms a row and stores it at the points from DI on; n is the number of z0.
#define IN4ROW(n, z0, z1, z2, z3, z4, z5) \
	IN4POINTS(z0, z1, z2, z3, z4, z5) \
	IN4FETCH \
	VMOVUPS z0, (DI) \
	VMOVUPS Z26, (DI)(SI*1) \
	VMOVUPS z1, (DI)(SI*2) \
	VMOVUPS z5, (DI)(DX*1) \
	VMOVUPS z4, (DI)(SI*4) \
	VMOVUPS z2, (DI)(R14*1) \
	LEAQ (DI)(DX*2), DI

// IN4BF16 is IN4ROW with bfloat16 for a result.
#define IN4BF16(n, z0, z1, z2, z3, z4, z5) \
	IN4POINTS(z0, z1, z2, z3, z4, z5) \
	IN4FETCH \
	TOBF16(n, 24) \
	TOBF16(26, 25) \
	TOBF16(n+1, 26) \
	VMOVUPS Y24, (DI) \
	TOBF16(n+5, 27) \
	VMOVUPS Y25, (DI)(SI*1) \
	TOBF16(n+4, 24) \
	VMOVUPS Y26, (DI)(SI*2) \
	TOBF16(n+2, 25) \
	VMOVUPS Y27, (DI)(DX*1) \
	VMOVUPS Y24, (DI)(SI*4) \
	VMOVUPS Y25, (DI)(R14*1) \
	LEAQ (DI)(DX*2), DI

// AHEAD fetches what a row of a later tile needs at first.
#define AHEAD(row) \
	LEAQ (row)(R15*1), DI \
	PREFETCHT0 (DI) \
	PREFETCHT0 (DI)(AX*1) \
	PREFETCHT0 (DI)(AX*2) \
	PREFETCHT0 (DI)(BX*1)

// INPUT4 is the input transform, with ROW for each row of points, of which 16 channels take 1<<shift
// bytes.
#define INPUT4(ROW, shift) \
	MOVQ arg+0(FP), R15 \
	VBROADCASTSS ·winogradConstants+0(SB), ZA \
	VBROADCASTSS ·winogradConstants+4(SB), ZB \
	VBROADCASTSS ·winogradConstants+8(SB), ZA2 \
	VBROADCASTSS ·winogradConstants+12(SB), ZB2 \
	MOVQ winogradInput_channels(R15), CX \
	TAILMASK \
	MOVQ CX, vectors-8(SP) \
	SHLQ $6, CX \
	MOVQ winogradInput_step(R15), AX \
	SHLQ $2, AX \
	LEAQ (AX)(AX*1), R14 \
	MOVQ R14, ahead-56(SP) \
	SUBQ CX, AX \
	MOVQ AX, srcNext-16(SP) \
	MOVQ winogradInput_pitch(R15), AX \
	SHLQ $2, AX \
	SHRQ $6-shift, CX \
	SUBQ CX, AX \
	MOVQ AX, dstNext-24(SP) \
	MOVQ winogradInput_tiles(R15), AX \
	MOVQ AX, tiles-32(SP) \
	MOVQ winogradInput_src+0(R15), R8 \
	MOVQ winogradInput_src+24(R15), R9 \
	MOVQ winogradInput_src+48(R15), R10 \
	MOVQ winogradInput_src+72(R15), R11 \
	MOVQ winogradInput_src+96(R15), R12 \
	MOVQ winogradInput_src+120(R15), R13 \
	MOVQ winogradInput_dst(R15), DI \
	MOVQ winogradInput_pixel(R15), AX \
	SHLQ $2, AX \
	LEAQ (AX)(AX*2), BX \
	LEAQ (AX)(AX*4), CX \
	MOVQ winogradInput_point(R15), SI \
	SHLQ $2, SI \
	LEAQ (SI)(SI*2), DX \
	LEAQ (SI)(SI*4), R14 \
tile: \
	KMOVW K3, K1 \
	MOVQ vectors-8(SP), R15 \
	MOVQ R15, left-48(SP) \
	MOVQ DI, dst-40(SP) \
	MOVQ ahead-56(SP), R15 \
vector: \
	CMPQ left-48(SP), $1 \
	JNE columns \
	KMOVW K2, K1 \
columns: \
	AHEAD(R8) \
	AHEAD(R9) \
	AHEAD(R10) \
	AHEAD(R11) \
	AHEAD(R12) \
	AHEAD(R13) \
	MOVQ dst-40(SP), DI \
	IN4ABOVE((R8), (R9), (R10), (R11), (R12), (R13), Z0, Z6, Z12, Z18) \
	IN4ABOVE((R8)(AX*1), (R9)(AX*1), (R10)(AX*1), (R11)(AX*1), (R12)(AX*1), (R13)(AX*1), Z1, Z7, Z13, Z19) \
	IN4ABOVE((R8)(AX*2), (R9)(AX*2), (R10)(AX*2), (R11)(AX*2), (R12)(AX*2), (R13)(AX*2), Z2, Z8, Z14, Z20) \
	IN4ABOVE((R8)(BX*1), (R9)(BX*1), (R10)(BX*1), (R11)(BX*1), (R12)(BX*1), (R13)(BX*1), Z3, Z9, Z15, Z21) \
	IN4ABOVE((R8)(AX*4), (R9)(AX*4), (R10)(AX*4), (R11)(AX*4), (R12)(AX*4), (R13)(AX*4), Z4, Z10, Z16, Z22) \
	IN4ABOVE((R8)(CX*1), (R9)(CX*1), (R10)(CX*1), (R11)(CX*1), (R12)(CX*1), (R13)(CX*1), Z5, Z11, Z17, Z23) \
	ROW(0, Z0, Z1, Z2, Z3, Z4, Z5) \
	ROW(6, Z6, Z7, Z8, Z9, Z10, Z11) \
	ROW(12, Z12, Z13, Z14, Z15, Z16, Z17) \
	ROW(18, Z18, Z19, Z20, Z21, Z22, Z23) \
	IN4BELOW((R9), (R10), (R11), (R12), Z0, Z6) \
	IN4BELOW((R9)(AX*1), (R10)(AX*1), (R11)(AX*1), (R12)(AX*1), Z1, Z7) \
	IN4BELOW((R9)(AX*2), (R10)(AX*2), (R11)(AX*2), (R12)(AX*2), Z2, Z8) \
	IN4BELOW((R9)(BX*1), (R10)(BX*1), (R11)(BX*1), (R12)(BX*1), Z3, Z9) \
	IN4BELOW((R9)(AX*4), (R10)(AX*4), (R11)(AX*4), (R12)(AX*4), Z4, Z10) \
	IN4BELOW((R9)(CX*1), (R10)(CX*1), (R11)(CX*1), (R12)(CX*1), Z5, Z11) \
	ROW(0, Z0, Z1, Z2, Z3, Z4, Z5) \
	ROW(6, Z6, Z7, Z8, Z9, Z10, Z11) \
	ADDQ $64, R8 \
	ADDQ $64, R9 \
	ADDQ $64, R10 \
	ADDQ $64, R11 \
	ADDQ $64, R12 \
	ADDQ $64, R13 \
	MOVQ dst-40(SP), DI \
	ADDQ $1<<shift, DI \
	MOVQ DI, dst-40(SP) \
	DECQ left-48(SP) \
	JNZ vector \
	MOVQ srcNext-16(SP), R15 \
	ADDQ R15, R8 \
	ADDQ R15, R9 \
	ADDQ R15, R10 \
	ADDQ R15, R11 \
	ADDQ R15, R12 \
	ADDQ R15, R13 \
	ADDQ dstNext-24(SP), DI \
	DECQ tiles-32(SP) \
	JNZ tile \
	VZEROUPPER \
	RET

// func winogradInput4AVX512(arg *winogradInput)
TEXT ·winogradInput4AVX512(SB), NOSPLIT, $56-8
	INPUT4(IN4ROW, 6)

// func winogradInput4BF16(arg *winogradInput)
TEXT ·winogradInput4BF16(SB), NOSPLIT, $56-8
	INPUT4(IN4BF16, 5)

// OUT4COLUMN transforms column SI of M, the rows of which are AX apart, and goes to the next.
#define OUT4COLUMN(o0, o1, o2, o3) \
	VMOVUPS (SI)(AX*1), o1 \
	VMOVUPS (SI)(AX*4), Z25 \
	VMOVUPS (SI)(BX*1), o3 \
	VADDPS (SI)(AX*2), o1, o2 \
	VSUBPS (SI)(AX*2), o1, o1 \
	VADDPS (SI)(CX*1), Z25, Z24 \
	VSUBPS (SI)(CX*1), Z25, Z25 \
	VADDPS (SI), o2, o0 \
	VFMADD231PS o1, Z30, o3 \
	VMULPS o2, Z28, o2 \
	VMULPS o1, Z26, o1 \
	VADDPS Z24, o0, o0 \
	VFMADD231PS Z25, Z31, o3 \
	VFMADD231PS Z24, Z29, o2 \
	VFMADD231PS Z25, Z27, o1 \
	ADDQ DX, SI

// OUT4ROW transforms a row and adds the bias at DI. The pixels are in z0, z1, Z24 and z3.
#define OUT4ROW(z0, z1, z2, z3, z4, z5) \
	VADDPS z2, z1, Z24 \
	VSUBPS z2, z1, z1 \
	VADDPS z5, z4, Z25 \
	VSUBPS z5, z4, z4 \
	VADDPS Z24, z0, z0 \
	VFMADD231PS z1, Z30, z3 \
	VFMADD213PS (DI), Z26, z1 \
	VFMADD213PS (DI), Z28, Z24 \
	VADDPS Z25, z0, z0 \
	VFMADD231PS z4, Z31, z3 \
	VFMADD231PS z4, Z27, z1 \
	VFMADD231PS Z25, Z29, Z24 \
	VADDPS (DI), z0, z0 \
	VADDPS (DI), z3, z3

#define OUT4ADD(z0, z1, z3) \
	VADDPS (R13), z0, K1, z0 \
	VADDPS (R13)(R10*1), z1, K1, z1 \
	VADDPS (R13)(R10*2), Z24, K1, Z24 \
	VADDPS (R13)(R11*1), z3, K1, z3 \
	ADDQ R9, R13

#define OUT4STORE(z0, z1, z3) \
	VMOVUPS z0, K1, (R8) \
	VMOVUPS z1, K1, (R8)(R10*1) \
	VMOVUPS Z24, K1, (R8)(R10*2) \
	VMOVUPS z3, K1, (R8)(R11*1) \
	LEAQ (R8)(R14*1), SI \
	PREFETCHT0 (SI) \
	PREFETCHT0 (SI)(R10*1) \
	PREFETCHT0 (SI)(R10*2) \
	PREFETCHT0 (SI)(R11*1) \
	ADDQ R9, R8

// func winogradOutput4AVX512(arg *winogradOutput)
TEXT ·winogradOutput4AVX512(SB), NOSPLIT, $56-8
	MOVQ arg+0(FP), R15
	VBROADCASTSS ·winogradConstants+0(SB), Z26
	VBROADCASTSS ·winogradConstants+4(SB), Z27
	VBROADCASTSS ·winogradConstants+8(SB), Z28
	VBROADCASTSS ·winogradConstants+12(SB), Z29
	VBROADCASTSS ·winogradConstants+16(SB), Z30
	VBROADCASTSS ·winogradConstants+20(SB), Z31
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
	LEAQ (AX)(AX*2), R14
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
	LEAQ (R10)(R10*2), R11
	MOVQ winogradOutput_point(R15), DX
	SHLQ $2, DX
	LEAQ (DX)(DX*2), AX
	ADDQ AX, AX                          // rows of M are six points apart
	LEAQ (AX)(AX*2), BX
	LEAQ (AX)(AX*4), CX

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
	OUT4COLUMN(Z0, Z6, Z12, Z18)
	OUT4COLUMN(Z1, Z7, Z13, Z19)
	OUT4COLUMN(Z2, Z8, Z14, Z20)
	OUT4COLUMN(Z3, Z9, Z15, Z21)
	OUT4COLUMN(Z4, Z10, Z16, Z22)
	OUT4COLUMN(Z5, Z11, Z17, Z23)
	TESTQ R12, R12
	JNZ residual
	OUT4ROW(Z0, Z1, Z2, Z3, Z4, Z5)
	OUT4STORE(Z0, Z1, Z3)
	OUT4ROW(Z6, Z7, Z8, Z9, Z10, Z11)
	OUT4STORE(Z6, Z7, Z9)
	OUT4ROW(Z12, Z13, Z14, Z15, Z16, Z17)
	OUT4STORE(Z12, Z13, Z15)
	OUT4ROW(Z18, Z19, Z20, Z21, Z22, Z23)
	OUT4STORE(Z18, Z19, Z21)
	JMP next

residual:
	OUT4ROW(Z0, Z1, Z2, Z3, Z4, Z5)
	OUT4ADD(Z0, Z1, Z3)
	OUT4STORE(Z0, Z1, Z3)
	OUT4ROW(Z6, Z7, Z8, Z9, Z10, Z11)
	OUT4ADD(Z6, Z7, Z9)
	OUT4STORE(Z6, Z7, Z9)
	OUT4ROW(Z12, Z13, Z14, Z15, Z16, Z17)
	OUT4ADD(Z12, Z13, Z15)
	OUT4STORE(Z12, Z13, Z15)
	OUT4ROW(Z18, Z19, Z20, Z21, Z22, Z23)
	OUT4ADD(Z18, Z19, Z21)
	OUT4STORE(Z18, Z19, Z21)

next:
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
