#include "textflag.h"
#include "go_asm.h"
#include "bf16_avx512_amd64.h"

// The products of Winograd's method for AVX-512: blocks of 12, 8, 4 or 2 rows times a panel of 32
// columns, for one point after the other. A row of the panel is in Z0 and Z1, an element of a row
// of the left-hand side in Z2 to Z7, and the sums in Z8 to Z31. With bfloat16 an element is a pair
// of channels, of which the sums get both products.

#define ZERO(c) VPXORD c, c, c

#define FMA(x, t, c0, c1) \
	VBROADCASTSS x, t \
	VFMADD231PS Z0, t, c0 \
	VFMADD231PS Z1, t, c1

#define STORE(c0, c1) \
	VMOVUPS c0, (R11) \
	VMOVUPS c1, 64(R11) \
	ADDQ $128, R11

#define ZERO2 ZERO(Z8); ZERO(Z9); ZERO(Z10); ZERO(Z11)
#define ZERO4 ZERO2; ZERO(Z12); ZERO(Z13); ZERO(Z14); ZERO(Z15)
#define ZERO8 ZERO4; ZERO(Z16); ZERO(Z17); ZERO(Z18); ZERO(Z19); ZERO(Z20); ZERO(Z21); ZERO(Z22); ZERO(Z23)
#define ZERO12 ZERO8; ZERO(Z24); ZERO(Z25); ZERO(Z26); ZERO(Z27); ZERO(Z28); ZERO(Z29); ZERO(Z30); ZERO(Z31)

#define FMA2 \
	FMA((AX), Z2, Z8, Z9) \
	FMA((AX)(BX*1), Z3, Z10, Z11)

#define FMA4 FMA2 \
	FMA((AX)(BX*2), Z4, Z12, Z13) \
	FMA((AX)(CX*1), Z5, Z14, Z15)

#define FMA8 FMA4 \
	FMA((AX)(BX*4), Z6, Z16, Z17) \
	FMA((AX)(DX*1), Z7, Z18, Z19) \
	FMA((AX)(CX*2), Z2, Z20, Z21) \
	FMA((AX)(SI*1), Z3, Z22, Z23)

#define FMA12 FMA8 \
	FMA((AX)(BX*8), Z4, Z24, Z25) \
	FMA((AX)(DI*1), Z5, Z26, Z27) \
	FMA((AX)(DX*2), Z6, Z28, Z29) \
	FMA((AX)(R8*1), Z7, Z30, Z31)

// PAIRS is FMA for pairs of bfloat16: n is the number of t, and c and c+1 are those of the sums.
#define PAIRS(x, t, n, c) \
	VBROADCASTSS x, t \
	DPBF16(0, n, c) \
	DPBF16(1, n, c+1)

#define PAIRS2 \
	PAIRS((AX), Z2, 2, 8) \
	PAIRS((AX)(BX*1), Z3, 3, 10)

#define PAIRS4 PAIRS2 \
	PAIRS((AX)(BX*2), Z4, 4, 12) \
	PAIRS((AX)(CX*1), Z5, 5, 14)

#define PAIRS8 PAIRS4 \
	PAIRS((AX)(BX*4), Z6, 6, 16) \
	PAIRS((AX)(DX*1), Z7, 7, 18) \
	PAIRS((AX)(CX*2), Z2, 2, 20) \
	PAIRS((AX)(SI*1), Z3, 3, 22)

#define PAIRS12 PAIRS8 \
	PAIRS((AX)(BX*8), Z4, 4, 24) \
	PAIRS((AX)(DI*1), Z5, 5, 26) \
	PAIRS((AX)(DX*2), Z6, 6, 28) \
	PAIRS((AX)(R8*1), Z7, 7, 30)

#define STORE2 STORE(Z8, Z9); STORE(Z10, Z11)
#define STORE4 STORE2; STORE(Z12, Z13); STORE(Z14, Z15)
#define STORE8 STORE4; STORE(Z16, Z17); STORE(Z18, Z19); STORE(Z20, Z21); STORE(Z22, Z23)
#define STORE12 STORE8; STORE(Z24, Z25); STORE(Z26, Z27); STORE(Z28, Z29); STORE(Z30, Z31)

// REGION prepares the fetching of a region of memory; R12 is the next line.
#define REGION(at) \
	MOVQ arg+0(FP), R10 \
	MOVQ (at+winogradFetch_rows)(R10), R12 \
	MOVQ R12, fetchRows-72(SP) \
	MOVQ (at+winogradFetch_row)(R10), R12 \
	SHLQ $2, R12 \
	MOVQ R12, fetchRow-80(SP) \
	MOVQ (at+winogradFetch_len)(R10), R12 \
	SHLQ $2, R12 \
	ADDQ (at+winogradFetch_from)(R10), R12 \
	MOVQ R12, fetchEnd-88(SP) \
	MOVQ (at+winogradFetch_from)(R10), R12 \
	MOVQ R12, fetchStart-96(SP)

// FETCH asks for some lines of the current region.
#define FETCH(loop, done) \
	MOVQ fetchLines-64(SP), R10 \
	TESTQ R10, R10 \
	JZ done \
loop: \
	PREFETCHT1 (R12) \
	ADDQ $64, R12 \
	DECQ R10 \
	JNZ loop \
	CMPQ R12, fetchEnd-88(SP) \
	JLT done \
	MOVQ fetchRow-80(SP), R10 \
	ADDQ R10, fetchEnd-88(SP) \
	MOVQ fetchStart-96(SP), R12 \
	ADDQ R10, R12 \
	MOVQ R12, fetchStart-96(SP) \
	DECQ fetchRows-72(SP) \
	JNZ done \
	REGION(winogradProduct_fetch+winogradFetch__size) \
	DECQ fetchRegions-104(SP) \
	JNZ done \
	MOVQ $0, fetchLines-64(SP) \
done:

// BLOCK multiplies a block of rows, after asking for a part of the memory that is needed next.
#define BLOCK(fetch, fetched, loop, pairs, sums, zero, fma, dot, store) \
	FETCH(fetch, fetched) \
	zero \
	MOVQ R14, AX \
	MOVQ R15, R9 \
	MOVQ k-8(SP), R10 \
	CMPQ bf16-112(SP), $0 \
	JNE pairs \
loop: \
	VMOVUPS (R9), Z0 \
	VMOVUPS 64(R9), Z1 \
	fma \
	ADDQ $4, AX \
	ADDQ $128, R9 \
	DECQ R10 \
	JNZ loop \
	JMP sums \
pairs: \
	VMOVUPS (R9), Z0 \
	VMOVUPS 64(R9), Z1 \
	dot \
	ADDQ $4, AX \
	ADDQ $128, R9 \
	DECQ R10 \
	JNZ pairs \
sums: \
	store

// func winogradProductAVX512(arg *winogradProduct)
TEXT ·winogradProductAVX512(SB), NOSPLIT, $112-8
	MOVQ arg+0(FP), R12
	MOVQ winogradProduct_k(R12), AX
	MOVQ AX, k-8(SP)
	MOVQ winogradProduct_bf16(R12), AX
	MOVQ AX, bf16-112(SP)
	MOVQ winogradProduct_rows(R12), AX
	MOVQ AX, rows-16(SP)
	MOVQ winogradProduct_points(R12), AX
	MOVQ AX, points-24(SP)
	MOVQ winogradProduct_aPoint(R12), AX
	SHLQ $2, AX
	MOVQ AX, aPoint-32(SP)
	MOVQ winogradProduct_cPoint(R12), AX
	SHLQ $2, AX
	MOVQ AX, cPoint-40(SP)
	MOVQ winogradProduct_a(R12), R14
	MOVQ winogradProduct_b(R12), R15
	MOVQ winogradProduct_c(R12), R11
	MOVQ winogradProduct_aRow(R12), BX
	SHLQ $2, BX
	LEAQ (BX)(BX*2), CX
	LEAQ (BX)(BX*4), DX
	LEAQ (CX)(BX*4), SI
	LEAQ (BX)(BX*8), DI
	LEAQ (CX)(BX*8), R8
	MOVQ winogradProduct_fetchLines(R12), R9
	MOVQ R9, fetchLines-64(SP)
	MOVQ winogradProduct_fetchRegions(R12), R9
	MOVQ R9, fetchRegions-104(SP)
	REGION(winogradProduct_fetch)

point:
	MOVQ rows-16(SP), R13
	MOVQ R14, a-48(SP)
	MOVQ R11, c-56(SP)

rows:
	CMPQ R13, $12
	JLT rows8
	BLOCK(fetch12, fetched12, loop12, pairs12, sums12, ZERO12, FMA12, PAIRS12, STORE12)
	LEAQ (R14)(CX*4), R14
	SUBQ $12, R13
	JMP rows

rows8:
	CMPQ R13, $8
	JLT rows4
	BLOCK(fetch8, fetched8, loop8, pairs8, sums8, ZERO8, FMA8, PAIRS8, STORE8)
	LEAQ (R14)(BX*8), R14
	SUBQ $8, R13
	JMP rows

rows4:
	CMPQ R13, $4
	JLT rows2
	BLOCK(fetch4, fetched4, loop4, pairs4, sums4, ZERO4, FMA4, PAIRS4, STORE4)
	LEAQ (R14)(BX*4), R14
	SUBQ $4, R13

rows2:
	TESTQ R13, R13
	JZ done
	BLOCK(fetch2, fetched2, loop2, pairs2, sums2, ZERO2, FMA2, PAIRS2, STORE2)

done:
	MOVQ R9, R15
	MOVQ a-48(SP), R14
	ADDQ aPoint-32(SP), R14
	MOVQ c-56(SP), R11
	ADDQ cPoint-40(SP), R11
	DECQ points-24(SP)
	JNZ point
	VZEROUPPER
	RET
