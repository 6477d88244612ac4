#include "textflag.h"
#include "go_asm.h"
#include "winograd_avx512_amd64.h"

// The transforms of F(6x6) for AVX-512. They work on 16 channels of a tile at a time, entirely in
// registers: the points of the rows a pair at a time, and the output rows three at a time. See
// winograd_transform.go for what is computed.

// The coefficients of the input transform.
#define C21_4 Z24
#define C17_4 Z25
#define C5_4 Z26
#define C4 Z27
#define C1_4 Z28
#define C5_2 Z29
#define C1_2 Z30
#define C2 Z31

// Pixel i of the row at R8.
#define D0 (R8)
#define D1 (R8)(AX*1)
#define D2 (R8)(AX*2)
#define D3 (R8)(BX*1)
#define D4 (R8)(AX*4)
#define D5 (R8)(CX*1)
#define D6 (R8)(BX*2)
#define D7 (R8)(DX*1)

#define IN6ROW(i) \
	MOVQ (winogradInput_src+24*i)(R15), R8 \
	ADDQ R13, R8

// IN6ENDS makes points infinity and 0 of row i.
#define IN6ENDS(i, o7, o0) \
	IN6ROW(i) \
	VMOVUPS.Z D6, K1, o0 \
	VMOVUPS.Z D2, K1, Z16 \
	VMOVUPS.Z D7, K1, o7 \
	VMOVUPS.Z D3, K1, Z17 \
	VSUBPS D0, o0, K1, o0 \
	VSUBPS D4, Z16, K1, Z16 \
	VSUBPS D1, o7, K1, o7 \
	VSUBPS D5, Z17, K1, Z17 \
	VFMADD231PS Z16, C21_4, o0 \
	VFMADD231PS Z17, C21_4, o7

// IN6HALF makes points 1/2 and -1/2.
#define IN6HALF(i, o1, o2) \
	IN6ROW(i) \
	VMOVUPS.Z D2, K1, Z16 \
	VMULPS.Z D5, C1_2, K1, Z17 \
	VFNMADD231PS D4, C5_4, K1, Z16 \
	VFNMADD231PS D3, C5_2, K1, Z17 \
	VFMADD213PS D6, C4, K1, Z16 \
	VFMADD231PS D1, C2, K1, Z17 \
	VADDPS Z17, Z16, o1 \
	VSUBPS Z17, Z16, o2

// IN6ONE makes points 1 and -1, and fetches what a later tile needs of the row.
#define IN6ONE(i, o3, o4) \
	IN6ROW(i) \
	VMOVUPS.Z D6, K1, Z16 \
	VMOVUPS.Z D5, K1, Z17 \
	VADDPS D2, Z16, K1, Z16 \
	VADDPS D1, Z17, K1, Z17 \
	VFNMADD231PS D4, C17_4, K1, Z16 \
	VFNMADD231PS D3, C17_4, K1, Z17 \
	VADDPS Z17, Z16, o3 \
	VSUBPS Z17, Z16, o4 \
	ADDQ R14, R8 \
	PREFETCHT0 D0 \
	PREFETCHT0 D1 \
	PREFETCHT0 D2 \
	PREFETCHT0 D3 \
	PREFETCHT0 D4 \
	PREFETCHT0 D5

// IN6TWO makes points 2 and -2.
#define IN6TWO(i, o5, o6) \
	IN6ROW(i) \
	VMOVUPS.Z D6, K1, Z16 \
	VMULPS.Z D1, C1_2, K1, Z17 \
	VFNMADD231PS D4, C5_4, K1, Z16 \
	VFNMADD231PS D3, C5_2, K1, Z17 \
	VFMADD231PS D2, C1_4, K1, Z16 \
	VFMADD231PS D5, C2, K1, Z17 \
	VADDPS Z17, Z16, o5 \
	VSUBPS Z17, Z16, o6

#define IN6ROWS(points) \
	points(0, Z0, Z8) \
	points(1, Z1, Z9) \
	points(2, Z2, Z10) \
	points(3, Z3, Z11) \
	points(4, Z4, Z12) \
	points(5, Z5, Z13) \
	points(6, Z6, Z14) \
	points(7, Z7, Z15)

// IN6COLUMN transforms a column of points and stores it at every eighth point from DI on.
#define IN6COLUMN(d0, d1, d2, d3, d4, d5, d6, d7) \
	VSUBPS d0, d6, d0 \
	VSUBPS d4, d2, Z16 \
	VSUBPS d1, d7, d7 \
	VSUBPS d5, d3, Z17 \
	VADDPS d6, d2, Z18 \
	VADDPS d5, d1, Z19 \
	VFMADD231PS Z16, C21_4, d0 \
	VFMADD231PS Z17, C21_4, d7 \
	VFNMADD231PS d4, C17_4, Z18 \
	VFNMADD231PS d3, C17_4, Z19 \
	VMOVAPS d2, Z20 \
	VMULPS d5, C1_2, Z21 \
	VFNMADD231PS d4, C5_4, Z20 \
	VFNMADD231PS d3, C5_2, Z21 \
	VFMADD213PS d6, C4, Z20 \
	VFMADD231PS d1, C2, Z21 \
	VMULPS d1, C1_2, d1 \
	VFNMADD231PS d4, C5_4, d6 \
	VFNMADD231PS d3, C5_2, d1 \
	VFMADD231PS d2, C1_4, d6 \
	VFMADD231PS d5, C2, d1 \
	VADDPS Z21, Z20, d2 \
	VSUBPS Z21, Z20, d3 \
	VADDPS Z19, Z18, d4 \
	VSUBPS Z19, Z18, d5 \
	VADDPS d1, d6, Z16 \
	VSUBPS d1, d6, d6 \
	VMOVUPS d0, (DI) \
	VMOVUPS d2, (DI)(SI*1) \
	VMOVUPS d3, (DI)(SI*2) \
	VMOVUPS d4, (DI)(R9*1) \
	VMOVUPS d5, (DI)(SI*4) \
	VMOVUPS Z16, (DI)(R10*1) \
	VMOVUPS d6, (DI)(R9*2) \
	VMOVUPS d7, (DI)(R11*1)

#define IN6FETCH(p) \
	PREFETCHT0 (p) \
	PREFETCHT0 (p)(SI*1) \
	PREFETCHT0 (p)(SI*2) \
	PREFETCHT0 (p)(R9*1) \
	PREFETCHT0 (p)(SI*4) \
	PREFETCHT0 (p)(R10*1) \
	PREFETCHT0 (p)(R9*2) \
	PREFETCHT0 (p)(R11*1)

// IN6PAIR makes all points that have one of a pair of horizontal points, from DI on for the first
// and from where second sets R8 to for the second.
#define IN6PAIR(points, second) \
	second \
	IN6ROWS(points) \
	IN6COLUMN(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7) \
	second \
	MOVQ R8, DI \
	IN6COLUMN(Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15) \
	ADDQ R12, DI

#define IN6BESIDE LEAQ (DI)(R12*1), R8
#define IN6FIRST MOVQ dst-40(SP), R8

// func winogradInput6AVX512(arg *winogradInput)
TEXT ·winogradInput6AVX512(SB), NOSPLIT, $64-8
	MOVQ arg+0(FP), R15
	VBROADCASTSS ·winogradIn6Constants+0(SB), C21_4
	VBROADCASTSS ·winogradIn6Constants+4(SB), C17_4
	VBROADCASTSS ·winogradIn6Constants+8(SB), C5_4
	VBROADCASTSS ·winogradIn6Constants+12(SB), C4
	VBROADCASTSS ·winogradIn6Constants+16(SB), C1_4
	VBROADCASTSS ·winogradIn6Constants+20(SB), C5_2
	VBROADCASTSS ·winogradIn6Constants+24(SB), C1_2
	VBROADCASTSS ·winogradIn6Constants+28(SB), C2
	MOVQ winogradInput_channels(R15), CX
	TAILMASK
	MOVQ CX, vectors-8(SP)
	SHLQ $6, CX                          // bytes that a pointer moves within a tile
	MOVQ winogradInput_step(R15), AX
	SHLQ $2, AX
	LEAQ (AX)(AX*1), R14                 // how far ahead the source is fetched
	SUBQ CX, AX
	MOVQ AX, srcNext-16(SP)
	MOVQ winogradInput_pitch(R15), AX
	SHLQ $2, AX
	SUBQ CX, AX
	MOVQ AX, dstNext-24(SP)
	MOVQ winogradInput_tiles(R15), AX
	MOVQ AX, tiles-32(SP)
	MOVQ winogradInput_dst(R15), DI
	MOVQ winogradInput_pixel(R15), AX
	SHLQ $2, AX
	LEAQ (AX)(AX*2), BX
	LEAQ (AX)(AX*4), CX
	LEAQ (BX)(AX*4), DX
	MOVQ winogradInput_point(R15), R12
	SHLQ $2, R12
	LEAQ (R12*8), SI                     // from one row of points to the next
	LEAQ (SI)(SI*2), R9
	LEAQ (SI)(SI*4), R10
	LEAQ (R9)(SI*4), R11
	XORQ R13, R13                        // place in the source

tile:
	KMOVW K3, K1
	MOVQ vectors-8(SP), R8
	MOVQ R8, left-48(SP)

vector:
	CMPQ left-48(SP), $1
	JNE points
	KMOVW K2, K1

points:
	MOVQ DI, dst-40(SP)
	ADDQ R12, DI
	IN6PAIR(IN6HALF, IN6BESIDE)
	IN6PAIR(IN6ONE, IN6BESIDE)
	IN6PAIR(IN6TWO, IN6BESIDE)
	IN6PAIR(IN6ENDS, IN6FIRST)
	MOVQ dst-40(SP), DI
	ADDQ $64, DI
	ADDQ $64, R13
	DECQ left-48(SP)
	JNZ vector

	ADDQ srcNext-16(SP), R13
	ADDQ dstNext-24(SP), DI
	DECQ tiles-32(SP)
	JNZ tile
	VZEROUPPER
	RET

// Element i of the column of M at SI.
#define M0 (SI)
#define M1 (SI)(AX*1)
#define M2 (SI)(AX*2)
#define M3 (SI)(BX*1)
#define M4 (SI)(AX*4)
#define M5 (SI)(CX*1)
#define M6 (SI)(BX*2)
#define M7 (SI)(DX*1)

// OUT6EVEN makes rows 0, 2 and 4 of a column, and goes to the next.
#define OUT6EVEN(o0, o2, o4) \
	VMOVUPS M1, Z24 \
	VMOVUPS M3, o2 \
	VMOVUPS M5, Z25 \
	VADDPS M2, Z24, Z24 \
	VADDPS M4, o2, o2 \
	VADDPS M6, Z25, Z25 \
	VADDPS M0, Z24, o0 \
	VADDPS Z25, o2, Z26 \
	VMOVAPS o2, o4 \
	VFMADD231PS Z24, Z28, o2 \
	VFMADD231PS Z24, Z30, o4 \
	VADDPS Z26, o0, o0 \
	VFMADD231PS Z25, Z29, o2 \
	VFMADD231PS Z25, Z31, o4 \
	ADDQ point-56(SP), SI

// OUT6ODD makes rows 1, 3 and 5, and fetches the column for the next channels.
#define OUT6ODD(o1, o3, o5) \
	VMOVUPS M1, Z24 \
	VMOVUPS M3, o1 \
	VMOVUPS M5, Z25 \
	VSUBPS M2, Z24, Z24 \
	VSUBPS M4, o1, o1 \
	VSUBPS M6, Z25, Z25 \
	VADDPS M7, o1, o5 \
	VMOVAPS o1, o3 \
	VFMADD231PS Z24, Z26, o1 \
	VFMADD231PS Z24, Z28, o3 \
	VFMADD231PS Z24, Z30, o5 \
	VFMADD231PS Z25, Z27, o1 \
	VFMADD231PS Z25, Z29, o3 \
	VFMADD231PS Z25, Z31, o5 \
	PREFETCHT0 64 M0 \
	PREFETCHT0 64 M1 \
	PREFETCHT0 64 M2 \
	PREFETCHT0 64 M3 \
	PREFETCHT0 64 M4 \
	PREFETCHT0 64 M5 \
	PREFETCHT0 64 M6 \
	PREFETCHT0 64 M7 \
	ADDQ point-56(SP), SI

#define OUT6COLUMNS(rows) \
	rows(Z0, Z8, Z16) \
	rows(Z1, Z9, Z17) \
	rows(Z2, Z10, Z18) \
	rows(Z3, Z11, Z19) \
	rows(Z4, Z12, Z20) \
	rows(Z5, Z13, Z21) \
	rows(Z6, Z14, Z22) \
	rows(Z7, Z15, Z23)

// OUT6ROW transforms a row and adds the bias at DI. The pixels are in z0, z6, Z25, z3, z2 and z7.
#define OUT6ROW(z0, z1, z2, z3, z4, z5, z6, z7) \
	VADDPS (DI), z3, z3 \
	VADDPS z2, z1, Z24 \
	VSUBPS z2, z1, z1 \
	VADDPS z4, z3, z2 \
	VSUBPS z4, z3, z3 \
	VADDPS z6, z5, z4 \
	VSUBPS z6, z5, z5 \
	VADDPS Z24, z0, z0 \
	VADDPS z3, z7, z7 \
	VADDPS z4, z2, Z25 \
	VMOVAPS z3, z6 \
	VADDPS Z25, z0, z0 \
	VMOVAPS z2, Z25 \
	VFMADD231PS.BCST ·winogradOut6Constants+0(SB), z1, z6 \
	VFMADD231PS.BCST ·winogradOut6Constants+8(SB), Z24, Z25 \
	VFMADD231PS.BCST ·winogradOut6Constants+16(SB), z1, z3 \
	VFMADD231PS.BCST ·winogradOut6Constants+24(SB), Z24, z2 \
	VFMADD231PS.BCST ·winogradOut6Constants+32(SB), z1, z7 \
	VFMADD231PS.BCST ·winogradOut6Constants+4(SB), z5, z6 \
	VFMADD231PS.BCST ·winogradOut6Constants+12(SB), z4, Z25 \
	VFMADD231PS.BCST ·winogradOut6Constants+20(SB), z5, z3 \
	VFMADD231PS.BCST ·winogradOut6Constants+28(SB), z4, z2 \
	VFMADD231PS.BCST ·winogradOut6Constants+36(SB), z5, z7

#define OUT6ADD(z0, z2, z3, z6, z7) \
	VADDPS (R13), z0, K1, z0 \
	VADDPS (R13)(R10*1), z6, K1, z6 \
	VADDPS (R13)(R10*2), Z25, K1, Z25 \
	VADDPS (R13)(R11*1), z3, K1, z3 \
	VADDPS (R13)(R10*4), z2, K1, z2 \
	VADDPS (R13)(R14*1), z7, K1, z7 \
	ADDQ R9, R13

#define OUT6STORE(z0, z2, z3, z6, z7) \
	VMOVUPS z0, K1, (R8) \
	VMOVUPS z6, K1, (R8)(R10*1) \
	VMOVUPS Z25, K1, (R8)(R10*2) \
	VMOVUPS z3, K1, (R8)(R11*1) \
	VMOVUPS z2, K1, (R8)(R10*4) \
	VMOVUPS z7, K1, (R8)(R14*1) \
	ADDQ R9, R8

#define OUT6ROWS \
	OUT6ROW(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7) \
	OUT6STORE(Z0, Z2, Z3, Z6, Z7) \
	OUT6ROW(Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15) \
	OUT6STORE(Z8, Z10, Z11, Z14, Z15) \
	OUT6ROW(Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23) \
	OUT6STORE(Z16, Z18, Z19, Z22, Z23)

#define OUT6ROWSADD \
	OUT6ROW(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7) \
	OUT6ADD(Z0, Z2, Z3, Z6, Z7) \
	OUT6STORE(Z0, Z2, Z3, Z6, Z7) \
	OUT6ROW(Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15) \
	OUT6ADD(Z8, Z10, Z11, Z14, Z15) \
	OUT6STORE(Z8, Z10, Z11, Z14, Z15) \
	OUT6ROW(Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23) \
	OUT6ADD(Z16, Z18, Z19, Z22, Z23) \
	OUT6STORE(Z16, Z18, Z19, Z22, Z23)

// OUT6FETCH fetches the pixels of a row at R8 and goes to the next but one.
#define OUT6FETCH \
	PREFETCHT0 (R8) \
	PREFETCHT0 (R8)(R10*1) \
	PREFETCHT0 (R8)(R10*2) \
	PREFETCHT0 (R8)(R11*1) \
	PREFETCHT0 (R8)(R10*4) \
	PREFETCHT0 (R8)(R14*1) \
	ADDQ R9, R8

// func winogradOutput6AVX512(arg *winogradOutput)
TEXT ·winogradOutput6AVX512(SB), NOSPLIT, $80-8
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
	MOVQ winogradOutput_add(R15), R13
	TESTQ R13, R13
	JZ sizes
	SUBQ R8, R13

sizes:
	MOVQ R13, add-72(SP)
	MOVQ winogradOutput_row(R15), R12
	SHLQ $2, R12
	LEAQ (R12)(R12*1), R9
	MOVQ winogradOutput_pixel(R15), R10
	SHLQ $2, R10
	LEAQ (R10)(R10*2), R11
	LEAQ (R10)(R10*4), R14
	MOVQ winogradOutput_point(R15), AX
	SHLQ $2, AX
	MOVQ AX, point-56(SP)
	SHLQ $3, AX                          // from one row of points to the next
	LEAQ (AX)(AX*2), BX
	LEAQ (AX)(AX*4), CX
	LEAQ (BX)(AX*4), DX

tile:
	KMOVW K3, K1
	MOVQ vectors-8(SP), R15
	MOVQ bias-40(SP), DI

vector:
	CMPQ R15, $1
	JNE even
	KMOVW K2, K1

even:
	MOVQ SI, src-48(SP)
	MOVQ R8, dst-64(SP)
	OUT6FETCH
	OUT6FETCH
	OUT6FETCH
	VBROADCASTSS ·winogradOut6Constants+8(SB), Z28
	VBROADCASTSS ·winogradOut6Constants+12(SB), Z29
	VBROADCASTSS ·winogradOut6Constants+24(SB), Z30
	VBROADCASTSS ·winogradOut6Constants+28(SB), Z31
	OUT6COLUMNS(OUT6EVEN)
	MOVQ dst-64(SP), R8
	MOVQ add-72(SP), R13
	TESTQ R13, R13
	JNZ evenAdd
	OUT6ROWS
	JMP odd

evenAdd:
	ADDQ R8, R13
	OUT6ROWSADD

odd:
	MOVQ src-48(SP), SI
	MOVQ dst-64(SP), R8
	ADDQ R12, R8
	OUT6FETCH
	OUT6FETCH
	OUT6FETCH
	VBROADCASTSS ·winogradOut6Constants+0(SB), Z26
	VBROADCASTSS ·winogradOut6Constants+4(SB), Z27
	VBROADCASTSS ·winogradOut6Constants+16(SB), Z28
	VBROADCASTSS ·winogradOut6Constants+20(SB), Z29
	VBROADCASTSS ·winogradOut6Constants+32(SB), Z30
	VBROADCASTSS ·winogradOut6Constants+36(SB), Z31
	OUT6COLUMNS(OUT6ODD)
	MOVQ dst-64(SP), R8
	ADDQ R12, R8
	MOVQ add-72(SP), R13
	TESTQ R13, R13
	JNZ oddAdd
	OUT6ROWS
	JMP next

oddAdd:
	ADDQ R8, R13
	OUT6ROWSADD

next:
	MOVQ src-48(SP), SI
	MOVQ dst-64(SP), R8
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
