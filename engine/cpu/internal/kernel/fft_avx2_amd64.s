#include "textflag.h"
#include "go_asm.h"

// Passes of Fourier transforms, see fft.go, for AVX2 and FMA. A block of 8 transforms is taken in
// two halves of 4: real parts at D, imaginary parts at D+64, for D = 0 and 32. AVX-512 would gain
// nothing where the processor splits its float64 operations in two, and little elsewhere, because
// the passes go through the second-level cache.
//
// SI is the element of src, R9 the distance to the next one of the butterfly, R10 three times
// that. DI, R11 and R12 are the same for dst. BX is at the group's roots.

#define SETUP \
	MOVQ arg+0(FP), AX \
	MOVQ fftArg_dst(AX), DI \
	MOVQ fftArg_src(AX), SI \
	MOVQ fftArg_twist(AX), BX \
	MOVQ fftArg_groups(AX), CX \
	MOVQ fftArg_stride(AX), R8 \
	LEAQ ·fftConstants(SB), R15 \
	MOVQ R8, R11 \
	SHLQ $7, R11 \
	MOVQ R11, R9 \
	IMULQ CX, R9 \
	LEAQ (R9)(R9*2), R10 \
	LEAQ (R11)(R11*2), R12

// NEXT ends the loop over the elements of a group, and that over the groups. skip is the
// distance, less one, of the groups in dst; roots is the size of a group's roots.
#define NEXT(skip, roots) \
	ADDQ $128, SI \
	ADDQ $128, DI \
	DECQ DX \
	JNZ element \
	ADDQ skip, DI \
	ADDQ $roots, BX \
	DECQ CX \
	JNZ group \
	VZEROUPPER \
	RET

// TWIST multiplies (r, i) by the root at off and leaves the product in (p, q). wr and wi are lost.
#define TWIST(r, i, p, q, wr, wi, off) \
	VBROADCASTSD off(BX), wr \
	VBROADCASTSD (off+8)(BX), wi \
	VMULPD wr, r, p \
	VMULPD wi, r, q \
	VFNMADD231PD wi, i, p \
	VFMADD231PD wr, i, q

#define HALF2(D) \
	VMOVUPD D(SI), Y0 \
	VMOVUPD (D+64)(SI), Y1 \
	VMOVUPD D(SI)(R9*1), Y2 \
	VMOVUPD (D+64)(SI)(R9*1), Y3 \
	VADDPD Y2, Y0, Y4 \
	VADDPD Y3, Y1, Y5 \
	VSUBPD Y2, Y0, Y6 \
	VSUBPD Y3, Y1, Y7 \
	VMOVUPD Y4, D(DI) \
	VMOVUPD Y5, (D+64)(DI) \
	TWIST(Y6, Y7, Y8, Y9, Y10, Y11, 0) \
	VMOVUPD Y8, D(DI)(R11*1) \
	VMOVUPD Y9, (D+64)(DI)(R11*1)

// func fft2AVX2(arg *fftArg)
TEXT ·fft2AVX2(SB), NOSPLIT, $0-8
	SETUP

group:
	MOVQ R8, DX

element:
	HALF2(0)
	HALF2(32)
	NEXT(R11, 16)

#define HALF3(D) \
	VMOVUPD D(SI), Y0 \
	VMOVUPD (D+64)(SI), Y1 \
	VMOVUPD D(SI)(R9*1), Y2 \
	VMOVUPD (D+64)(SI)(R9*1), Y3 \
	VMOVUPD D(SI)(R9*2), Y4 \
	VMOVUPD (D+64)(SI)(R9*2), Y5 \
	VADDPD Y4, Y2, Y6 \
	VADDPD Y5, Y3, Y7 \
	VSUBPD Y4, Y2, Y2 \
	VSUBPD Y5, Y3, Y3 \
	VADDPD Y6, Y0, Y4 \
	VADDPD Y7, Y1, Y5 \
	VMOVUPD Y4, D(DI) \
	VMOVUPD Y5, (D+64)(DI) \
	VFNMADD231PD Y12, Y6, Y0 \
	VFNMADD231PD Y12, Y7, Y1 \
	VMULPD Y13, Y2, Y2 \
	VMULPD Y13, Y3, Y3 \
	VADDPD Y3, Y0, Y4 \
	VSUBPD Y2, Y1, Y5 \
	VSUBPD Y3, Y0, Y6 \
	VADDPD Y2, Y1, Y7 \
	TWIST(Y4, Y5, Y8, Y9, Y10, Y11, 0) \
	VMOVUPD Y8, D(DI)(R11*1) \
	VMOVUPD Y9, (D+64)(DI)(R11*1) \
	TWIST(Y6, Y7, Y8, Y9, Y10, Y11, 16) \
	VMOVUPD Y8, D(DI)(R11*2) \
	VMOVUPD Y9, (D+64)(DI)(R11*2)

// func fft3AVX2(arg *fftArg)
TEXT ·fft3AVX2(SB), NOSPLIT, $0-8
	SETUP
	MOVQ R11, R13
	SHLQ $1, R13
	VBROADCASTSD (R15), Y12
	VBROADCASTSD 8(R15), Y13

group:
	MOVQ R8, DX

element:
	HALF3(0)
	HALF3(32)
	NEXT(R13, 32)

#define HALF4(D) \
	VMOVUPD D(SI), Y0 \
	VMOVUPD (D+64)(SI), Y1 \
	VMOVUPD D(SI)(R9*1), Y2 \
	VMOVUPD (D+64)(SI)(R9*1), Y3 \
	VMOVUPD D(SI)(R9*2), Y12 \
	VMOVUPD (D+64)(SI)(R9*2), Y13 \
	VMOVUPD D(SI)(R10*1), Y14 \
	VMOVUPD (D+64)(SI)(R10*1), Y15 \
	VADDPD Y12, Y0, Y4 \
	VSUBPD Y12, Y0, Y5 \
	VADDPD Y13, Y1, Y6 \
	VSUBPD Y13, Y1, Y7 \
	VADDPD Y14, Y2, Y8 \
	VSUBPD Y14, Y2, Y9 \
	VADDPD Y15, Y3, Y10 \
	VSUBPD Y15, Y3, Y11 \
	VADDPD Y8, Y4, Y12 \
	VADDPD Y10, Y6, Y13 \
	VMOVUPD Y12, D(DI) \
	VMOVUPD Y13, (D+64)(DI) \
	VSUBPD Y8, Y4, Y0 \
	VSUBPD Y10, Y6, Y1 \
	VADDPD Y11, Y5, Y2 \
	VSUBPD Y9, Y7, Y3 \
	VSUBPD Y11, Y5, Y4 \
	VADDPD Y9, Y7, Y6 \
	TWIST(Y2, Y3, Y12, Y13, Y14, Y15, 0) \
	VMOVUPD Y12, D(DI)(R11*1) \
	VMOVUPD Y13, (D+64)(DI)(R11*1) \
	TWIST(Y0, Y1, Y8, Y9, Y10, Y11, 16) \
	VMOVUPD Y8, D(DI)(R11*2) \
	VMOVUPD Y9, (D+64)(DI)(R11*2) \
	TWIST(Y4, Y6, Y12, Y13, Y14, Y15, 32) \
	VMOVUPD Y12, D(DI)(R12*1) \
	VMOVUPD Y13, (D+64)(DI)(R12*1)

// func fft4AVX2(arg *fftArg)
TEXT ·fft4AVX2(SB), NOSPLIT, $0-8
	SETUP

group:
	MOVQ R8, DX

element:
	HALF4(0)
	HALF4(32)
	NEXT(R12, 48)

// The sums and differences of elements 1 and 4, and of 2 and 3, are in Y0 to Y7. With the
// cosines at C1 and C2 and the sines at S1 and S2, PAIR makes two results, in (Y10, Y11) and
// (Y12, Y13). OP adds or subtracts the second sine.
#define PAIR(D, C1, C2, S1, S2, OP) \
	VBROADCASTSD C1(R15), Y8 \
	VBROADCASTSD C2(R15), Y9 \
	VMOVUPD D(SI), Y12 \
	VMOVUPD (D+64)(SI), Y13 \
	VFMADD231PD Y8, Y0, Y12 \
	VFMADD231PD Y8, Y1, Y13 \
	VFMADD231PD Y9, Y2, Y12 \
	VFMADD231PD Y9, Y3, Y13 \
	VBROADCASTSD S1(R15), Y8 \
	VBROADCASTSD S2(R15), Y9 \
	VMULPD Y8, Y4, Y14 \
	VMULPD Y8, Y5, Y15 \
	OP Y9, Y6, Y14 \
	OP Y9, Y7, Y15 \
	VADDPD Y15, Y12, Y10 \
	VSUBPD Y14, Y13, Y11 \
	VSUBPD Y15, Y12, Y12 \
	VADDPD Y14, Y13, Y13

#define HALF5(D) \
	VMOVUPD D(SI)(R9*1), Y8 \
	VMOVUPD (D+64)(SI)(R9*1), Y9 \
	VMOVUPD D(SI)(R9*4), Y10 \
	VMOVUPD (D+64)(SI)(R9*4), Y11 \
	VADDPD Y10, Y8, Y0 \
	VADDPD Y11, Y9, Y1 \
	VSUBPD Y10, Y8, Y4 \
	VSUBPD Y11, Y9, Y5 \
	VMOVUPD D(SI)(R9*2), Y8 \
	VMOVUPD (D+64)(SI)(R9*2), Y9 \
	VMOVUPD D(SI)(R10*1), Y10 \
	VMOVUPD (D+64)(SI)(R10*1), Y11 \
	VADDPD Y10, Y8, Y2 \
	VADDPD Y11, Y9, Y3 \
	VSUBPD Y10, Y8, Y6 \
	VSUBPD Y11, Y9, Y7 \
	VADDPD D(SI), Y0, Y8 \
	VADDPD (D+64)(SI), Y1, Y9 \
	VADDPD Y2, Y8, Y8 \
	VADDPD Y3, Y9, Y9 \
	VMOVUPD Y8, D(DI) \
	VMOVUPD Y9, (D+64)(DI) \
	PAIR(D, 16, 24, 32, 40, VFMADD231PD) \
	TWIST(Y10, Y11, Y8, Y9, Y14, Y15, 0) \
	VMOVUPD Y8, D(DI)(R11*1) \
	VMOVUPD Y9, (D+64)(DI)(R11*1) \
	TWIST(Y12, Y13, Y8, Y9, Y14, Y15, 48) \
	VMOVUPD Y8, D(DI)(R11*4) \
	VMOVUPD Y9, (D+64)(DI)(R11*4) \
	PAIR(D, 24, 16, 40, 32, VFNMADD231PD) \
	TWIST(Y10, Y11, Y8, Y9, Y14, Y15, 16) \
	VMOVUPD Y8, D(DI)(R11*2) \
	VMOVUPD Y9, (D+64)(DI)(R11*2) \
	TWIST(Y12, Y13, Y8, Y9, Y14, Y15, 32) \
	VMOVUPD Y8, D(DI)(R12*1) \
	VMOVUPD Y9, (D+64)(DI)(R12*1)

// func fft5AVX2(arg *fftArg)
TEXT ·fft5AVX2(SB), NOSPLIT, $0-8
	SETUP
	MOVQ R11, R13
	SHLQ $2, R13

group:
	MOVQ R8, DX

element:
	HALF5(0)
	HALF5(32)
	NEXT(R13, 64)

#define MOVESETUP \
	MOVQ arg+0(FP), AX \
	MOVQ fftMove_blocks(AX), DI \
	MOVQ fftMove_data(AX), SI \
	MOVQ fftMove_n(AX), CX \
	MOVQ fftMove_stride(AX), DX \
	MOVQ fftMove_re(AX), R8 \
	MOVQ fftMove_im(AX), R9

// WIDEN stores the 8 floats of (y, x), one register, as doubles at off.
#define WIDEN(y, x, off) \
	VPERMPD $0xD8, y, y \
	VCVTPS2PD x, Y4 \
	VEXTRACTF128 $1, y, X5 \
	VCVTPS2PD X5, Y5 \
	VMOVUPD Y4, (DI)(off*1) \
	VMOVUPD Y5, 32(DI)(off*1)

// func fftLoadAVX2(arg *fftMove)
TEXT ·fftLoadAVX2(SB), NOSPLIT, $0-8
	MOVESETUP

load:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	VSHUFPS $0x88, Y1, Y0, Y2
	VSHUFPS $0xDD, Y1, Y0, Y3
	WIDEN(Y2, X2, R8)
	WIDEN(Y3, X3, R9)
	ADDQ DX, SI
	ADDQ $128, DI
	DECQ CX
	JNZ load
	VZEROUPPER
	RET

// NARROW leaves 8 doubles at off, times Y15, as floats in (y, x), one register.
#define NARROW(y, x, off) \
	VMULPD (DI)(off*1), Y15, y \
	VMULPD 32(DI)(off*1), Y15, Y5 \
	VCVTPD2PSY y, x \
	VCVTPD2PSY Y5, X5 \
	VINSERTF128 $1, X5, y, y

// func fftStoreAVX2(arg *fftMove)
TEXT ·fftStoreAVX2(SB), NOSPLIT, $0-8
	MOVESETUP
	VBROADCASTSD fftMove_scale(AX), Y15

store:
	NARROW(Y0, X0, R8)
	NARROW(Y1, X1, R9)
	VUNPCKLPS Y1, Y0, Y2
	VUNPCKHPS Y1, Y0, Y3
	VPERM2F128 $0x20, Y3, Y2, Y0
	VPERM2F128 $0x31, Y3, Y2, Y1
	VMOVUPS Y0, (SI)
	VMOVUPS Y1, 32(SI)
	ADDQ DX, SI
	ADDQ $128, DI
	DECQ CX
	JNZ store
	VZEROUPPER
	RET
