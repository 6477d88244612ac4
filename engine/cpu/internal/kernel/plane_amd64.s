#include "textflag.h"
#include "go_asm.h"

// Blocks of 4 output rows times 64 (AVX-512) or 16 (AVX2) pixels of a one-channel convolution:
// one input vector meets the weights of a tap for all four rows.

#define SETUP \
	MOVQ arg+0(FP), DI \
	MOVQ plane_src(DI), R8 \
	MOVQ plane_taps(DI), BX \
	MOVQ (plane_taps+8)(DI), R12

#define ZERO4(a, b, c, d) \
	VPXORD a, a, a \
	VPXORD b, b, b \
	VPXORD c, c, c \
	VPXORD d, d, d

#define FMA4(w, a, b, c, d) \
	VFMADD231PS Z4, w, a \
	VFMADD231PS Z5, w, b \
	VFMADD231PS Z6, w, c \
	VFMADD231PS Z7, w, d

#define STORE4(a, b, c, d) \
	VMOVUPS a, K1, (R8) \
	VMOVUPS b, K2, 64(R8) \
	VMOVUPS c, K3, 128(R8) \
	VMOVUPS d, K4, 192(R8)

// func planeAVX512(arg *plane)
TEXT ·planeAVX512(SB), NOSPLIT, $0-8
	SETUP
	ZERO4(Z8, Z9, Z10, Z11)
	ZERO4(Z12, Z13, Z14, Z15)
	ZERO4(Z16, Z17, Z18, Z19)
	ZERO4(Z20, Z21, Z22, Z23)

	TESTQ R12, R12
	JZ sums

tap:
	MOVQ planeTap_at(BX), R11
	LEAQ (R8)(R11*4), SI
	VBROADCASTSS (planeTap_w+0)(BX), Z0
	VBROADCASTSS (planeTap_w+4)(BX), Z1
	VBROADCASTSS (planeTap_w+8)(BX), Z2
	VBROADCASTSS (planeTap_w+12)(BX), Z3
	VMOVUPS (SI), Z4
	VMOVUPS 64(SI), Z5
	VMOVUPS 128(SI), Z6
	VMOVUPS 192(SI), Z7
	FMA4(Z0, Z8, Z9, Z10, Z11)
	FMA4(Z1, Z12, Z13, Z14, Z15)
	FMA4(Z2, Z16, Z17, Z18, Z19)
	FMA4(Z3, Z20, Z21, Z22, Z23)
	ADDQ $planeTap__size, BX
	DECQ R12
	JNZ tap

sums:
	MOVQ plane_n(DI), CX
	MOVQ $-1, AX
	CMPQ CX, $64
	JGE masks
	MOVQ $1, AX
	SHLQ CX, AX
	DECQ AX

masks:
	KMOVW AX, K1
	SHRQ $16, AX
	KMOVW AX, K2
	SHRQ $16, AX
	KMOVW AX, K3
	SHRQ $16, AX
	KMOVW AX, K4
	MOVQ plane_dst(DI), R8
	MOVQ plane_ldd(DI), R9
	SHLQ $2, R9
	MOVQ plane_m(DI), CX
	STORE4(Z8, Z9, Z10, Z11)
	DECQ CX
	JZ done
	ADDQ R9, R8
	STORE4(Z12, Z13, Z14, Z15)
	DECQ CX
	JZ done
	ADDQ R9, R8
	STORE4(Z16, Z17, Z18, Z19)
	DECQ CX
	JZ done
	ADDQ R9, R8
	STORE4(Z20, Z21, Z22, Z23)

done:
	VZEROUPPER
	RET

#define ZERO2(a, b) \
	VXORPS a, a, a \
	VXORPS b, b, b

#define FMA2(w, a, b) \
	VFMADD231PS Y4, w, a \
	VFMADD231PS Y5, w, b

#define STORE2(a, b) \
	VMASKMOVPS a, Y0, (R8) \
	VMASKMOVPS b, Y1, 32(R8)

// func planeAVX2(arg *plane)
TEXT ·planeAVX2(SB), NOSPLIT, $0-8
	SETUP
	ZERO2(Y8, Y9)
	ZERO2(Y10, Y11)
	ZERO2(Y12, Y13)
	ZERO2(Y14, Y15)

	TESTQ R12, R12
	JZ sums

tap:
	MOVQ planeTap_at(BX), R11
	LEAQ (R8)(R11*4), SI
	VMOVUPS (SI), Y4
	VMOVUPS 32(SI), Y5
	VBROADCASTSS (planeTap_w+0)(BX), Y0
	VBROADCASTSS (planeTap_w+4)(BX), Y1
	VBROADCASTSS (planeTap_w+8)(BX), Y2
	VBROADCASTSS (planeTap_w+12)(BX), Y3
	FMA2(Y0, Y8, Y9)
	FMA2(Y1, Y10, Y11)
	FMA2(Y2, Y12, Y13)
	FMA2(Y3, Y14, Y15)
	ADDQ $planeTap__size, BX
	DECQ R12
	JNZ tap

sums:
	MOVQ $16, CX
	SUBQ plane_n(DI), CX
	LEAQ ·lanes(SB), AX
	LEAQ (AX)(CX*4), AX
	VMOVUPS (AX), Y0
	VMOVUPS 32(AX), Y1
	MOVQ plane_dst(DI), R8
	MOVQ plane_ldd(DI), R9
	SHLQ $2, R9
	MOVQ plane_m(DI), CX
	STORE2(Y8, Y9)
	DECQ CX
	JZ done
	ADDQ R9, R8
	STORE2(Y10, Y11)
	DECQ CX
	JZ done
	ADDQ R9, R8
	STORE2(Y12, Y13)
	DECQ CX
	JZ done
	ADDQ R9, R8
	STORE2(Y14, Y15)

done:
	VZEROUPPER
	RET
