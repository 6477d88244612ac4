// What loops over vectors for AVX-512 share.

// TAIL16 sets K1 to the first CX+16 lanes, CX being what is left after subtracting 16 too often.
#define TAIL16 \
	ADDQ $16, CX \
	JZ done \
	MOVQ $1, AX \
	SHLQ CX, AX \
	DECQ AX \
	KMOVW AX, K1

#define SIGN \
	VPTERNLOGD $0xff, Z27, Z27, Z27 \
	VPSLLD $31, Z27, Z27

// The constants of exp; see expConstants.
#define EXPCONSTANTS \
	VBROADCASTSS ·expConstants+0(SB), Z16 \
	VBROADCASTSS ·expConstants+4(SB), Z17 \
	VBROADCASTSS ·expConstants+8(SB), Z18 \
	VBROADCASTSS ·expConstants+12(SB), Z19 \
	VBROADCASTSS ·expConstants+16(SB), Z20 \
	VBROADCASTSS ·expConstants+20(SB), Z21 \
	VBROADCASTSS ·expConstants+24(SB), Z22 \
	VBROADCASTSS ·expConstants+28(SB), Z23 \
	VBROADCASTSS ·expConstants+32(SB), Z24 \
	VBROADCASTSS ·expConstants+36(SB), Z25 \
	VBROADCASTSS ·expConstants+40(SB), Z26

// EXPBODY replaces x, no further from 0 than the bounds or NaN, by its exponential.
#define EXPBODY(x) \
	VMULPS Z18, x, Z1 \
	VRNDSCALEPS $0, Z1, Z1 \
	VFNMADD231PS Z19, Z1, x \
	VFNMADD231PS Z20, Z1, x \
	VMOVAPS Z21, Z2 \
	VFMADD213PS Z22, x, Z2 \
	VFMADD213PS Z23, x, Z2 \
	VFMADD213PS Z24, x, Z2 \
	VFMADD213PS Z25, x, Z2 \
	VFMADD213PS Z26, x, Z2 \
	VFMADD213PS Z26, x, Z2 \
	VSCALEFPS Z1, Z2, x

// With the variable as the second operand, NaN passes through the bounds.
#define EXP \
	VMINPS Z0, Z16, Z0 \
	VMAXPS Z0, Z17, Z0 \
	EXPBODY(Z0)

// EXPABS leaves exp(-|x|) in Z3, 1+exp(-|x|) in Z4 and the lanes with x < 0 in K2.
#define EXPABS \
	VPORD Z27, Z0, Z3 \
	VMAXPS Z3, Z17, Z3 \
	EXPBODY(Z3) \
	VADDPS Z26, Z3, Z4 \
	VPMOVD2M Z0, K2

// The logistic function is 1/(1+e) or e/(1+e), e = exp(-|x|): no overflow on either side. What
// was rounded off in 1+e, and then in the quotient, is added to the quotient, left in Z5.
#define QUOTIENT \
	EXPABS \
	VSUBPS Z26, Z4, Z7 \
	VSUBPS Z7, Z3, Z7 \
	VDIVPS Z4, Z26, Z6 \
	VMOVAPS Z26, Z8 \
	VMOVAPS Z3, K2, Z8 \
	VMULPS Z6, Z8, Z5 \
	VFNMADD231PS Z4, Z5, Z8 \
	VFNMADD231PS Z7, Z5, Z8 \
	VFMADD231PS Z6, Z8, Z5

#define LOGISTIC \
	QUOTIENT \
	VMOVAPS Z5, Z0

#define SILU \
	QUOTIENT \
	VMULPS Z5, Z0, Z0

// The derivative L + L*(x*(1-L)); L and 1-L are the two quotients.
#define SILUGRAD \
	EXPABS \
	VDIVPS Z4, Z26, Z5 \
	VMULPS Z3, Z5, Z6 \
	VMOVAPS Z5, Z7 \
	VMOVAPS Z6, K2, Z7 \
	VMOVAPS Z5, K2, Z6 \
	VMULPS Z6, Z0, Z0 \
	VFMADD213PS Z7, Z7, Z0
