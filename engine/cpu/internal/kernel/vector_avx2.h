// What loops over vectors for AVX2 and FMA share.

#define SIGN(y) \
	VPCMPEQD y, y, y \
	VPSLLD $31, y, y

// The constants of exp; see expConstants. The upper bound is not needed where x <= 0: then Y5
// is the sign bit.
#define EXPCONSTANTS \
	VBROADCASTSS ·expConstants+0(SB), Y5 \
	VBROADCASTSS ·expConstants+4(SB), Y6 \
	VBROADCASTSS ·expConstants+8(SB), Y7 \
	VBROADCASTSS ·expConstants+12(SB), Y8 \
	VBROADCASTSS ·expConstants+16(SB), Y9 \
	VBROADCASTSS ·expConstants+20(SB), Y10 \
	VBROADCASTSS ·expConstants+24(SB), Y11 \
	VBROADCASTSS ·expConstants+28(SB), Y12 \
	VBROADCASTSS ·expConstants+32(SB), Y13 \
	VBROADCASTSS ·expConstants+36(SB), Y14 \
	VBROADCASTSS ·expConstants+40(SB), Y15

// EXPBODY replaces x, no further from 0 than the bounds or NaN, by its exponential. The power of
// two is multiplied on in two steps, since it may be out of range where the result is not.
#define EXPBODY(x) \
	VMULPS Y7, x, Y1 \
	VROUNDPS $8, Y1, Y1 \
	VFNMADD231PS Y8, Y1, x \
	VFNMADD231PS Y9, Y1, x \
	VMOVAPS Y10, Y2 \
	VFMADD213PS Y11, x, Y2 \
	VFMADD213PS Y12, x, Y2 \
	VFMADD213PS Y13, x, Y2 \
	VFMADD213PS Y14, x, Y2 \
	VFMADD213PS Y15, x, Y2 \
	VFMADD213PS Y15, x, Y2 \
	VCVTPS2DQ Y1, Y1 \
	VPSRAD $1, Y1, x \
	VPSUBD x, Y1, Y1 \
	VPSLLD $23, Y1, Y1 \
	VPSLLD $23, x, x \
	VPADDD Y15, Y1, Y1 \
	VPADDD Y15, x, x \
	VMULPS Y1, Y2, Y2 \
	VMULPS x, Y2, x

// With the variable as the second operand, NaN passes through the bounds.
#define EXP \
	VMINPS Y0, Y5, Y0 \
	VMAXPS Y0, Y6, Y0 \
	EXPBODY(Y0)

// EXPABS leaves exp(-|x|) in Y3 and 1+exp(-|x|) in Y4.
#define EXPABS \
	VORPS Y5, Y0, Y3 \
	VMAXPS Y3, Y6, Y3 \
	EXPBODY(Y3) \
	VADDPS Y15, Y3, Y4

// The logistic function is 1/(1+e) or e/(1+e), e = exp(-|x|): no overflow on either side. What
// was rounded off in 1+e, and then in the quotient, is added to the quotient, left in Y1. Y5, the
// sign bit, is lent out.
#define QUOTIENT \
	EXPABS \
	VSUBPS Y15, Y4, Y2 \
	VSUBPS Y2, Y3, Y2 \
	VBLENDVPS Y0, Y3, Y15, Y3 \
	VDIVPS Y4, Y15, Y5 \
	VMULPS Y5, Y3, Y1 \
	VFNMADD231PS Y4, Y1, Y3 \
	VFNMADD231PS Y2, Y1, Y3 \
	VFMADD231PS Y5, Y3, Y1 \
	SIGN(Y5)

#define LOGISTIC \
	QUOTIENT \
	VMOVAPS Y1, Y0

#define SILU \
	QUOTIENT \
	VMULPS Y1, Y0, Y0

// The derivative L + L*(x*(1-L)); L and 1-L are the two quotients.
#define SILUGRAD \
	EXPABS \
	VDIVPS Y4, Y15, Y1 \
	VMULPS Y3, Y1, Y2 \
	VBLENDVPS Y0, Y2, Y1, Y3 \
	VBLENDVPS Y0, Y1, Y2, Y4 \
	VMULPS Y4, Y0, Y0 \
	VFMADD213PS Y3, Y3, Y0
