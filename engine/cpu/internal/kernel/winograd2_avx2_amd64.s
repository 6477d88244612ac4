#include "textflag.h"
#include "go_asm.h"
#include "winograd_avx2_amd64.h"

// The transforms of F(2x2) for AVX2. They work on 8 channels of a tile at a time, with the result
// of the first dimension on the stack. Everything is rounded as with AVX-512.

// IN2 transforms Y0 to Y3; the result is in Y0, Y4, Y2 and Y3.
#define IN2 \
	VADDPS Y2, Y1, Y4 \
	VSUBPS Y2, Y0, Y0 \
	VSUBPS Y1, Y2, Y2 \
	VSUBPS Y1, Y3, Y3

#define IN2COLUMN(d0, d1, d2, d3, t) \
	VMASKMOVPS d0, Y12, Y0 \
	VMASKMOVPS d1, Y12, Y1 \
	VMASKMOVPS d2, Y12, Y2 \
	VMASKMOVPS d3, Y12, Y3 \
	IN2 \
	VMOVUPS Y0, (0*128+t*32)(SP) \
	VMOVUPS Y4, (1*128+t*32)(SP) \
	VMOVUPS Y2, (2*128+t*32)(SP) \
	VMOVUPS Y3, (3*128+t*32)(SP)

#define IN2ROW(t) \
	VMOVUPS (t*128+0*32)(SP), Y0 \
	VMOVUPS (t*128+1*32)(SP), Y1 \
	VMOVUPS (t*128+2*32)(SP), Y2 \
	VMOVUPS (t*128+3*32)(SP), Y3 \
	IN2 \
	VMOVUPS Y0, (DI) \
	VMOVUPS Y4, (DI)(SI*1) \
	VMOVUPS Y2, (DI)(SI*2) \
	VMOVUPS Y3, (DI)(DX*1) \
	LEAQ (DI)(SI*4), DI

// func winogradInput2AVX2(arg *winogradInput)
TEXT ·winogradInput2AVX2(SB), NOSPLIT, $552-8
	MOVQ arg+0(FP), R15
	MOVQ winogradInput_channels(R15), CX
	TAIL8
	MOVQ CX, 512(SP)                     // vectors
	MOVQ DX, 520(SP)                     // mask of the last
	MOVQ AX, 528(SP)                     // number of the vector that is not full
	SHLQ $5, CX
	MOVQ winogradInput_step(R15), AX
	SHLQ $2, AX
	SUBQ CX, AX
	MOVQ AX, 536(SP)                     // what rows of the source move from tile to tile
	MOVQ winogradInput_pitch(R15), AX
	SHLQ $2, AX
	SUBQ CX, AX
	MOVQ AX, 544(SP)                     // ... and the destination
	MOVQ winogradInput_tiles(R15), R12
	MOVQ winogradInput_src+0(R15), R8
	MOVQ winogradInput_src+24(R15), R9
	MOVQ winogradInput_src+48(R15), R10
	MOVQ winogradInput_src+72(R15), R11
	MOVQ winogradInput_dst(R15), R13
	MOVQ winogradInput_pixel(R15), AX
	SHLQ $2, AX
	LEAQ (AX)(AX*2), BX
	MOVQ winogradInput_point(R15), SI
	SHLQ $2, SI
	LEAQ (SI)(SI*2), DX

tile:
	VPCMPEQD Y12, Y12, Y12
	MOVQ 512(SP), R15

vector:
	CMPQ R15, 528(SP)
	JNE columns
	MOVQ 520(SP), DI
	VMOVUPS (DI), Y12

columns:
	IN2COLUMN((R8), (R9), (R10), (R11), 0)
	IN2COLUMN((R8)(AX*1), (R9)(AX*1), (R10)(AX*1), (R11)(AX*1), 1)
	IN2COLUMN((R8)(AX*2), (R9)(AX*2), (R10)(AX*2), (R11)(AX*2), 2)
	IN2COLUMN((R8)(BX*1), (R9)(BX*1), (R10)(BX*1), (R11)(BX*1), 3)
	MOVQ R13, DI
	IN2ROW(0)
	IN2ROW(1)
	IN2ROW(2)
	IN2ROW(3)
	ADDQ $32, R8
	ADDQ $32, R9
	ADDQ $32, R10
	ADDQ $32, R11
	ADDQ $32, R13
	DECQ R15
	JNZ vector

	MOVQ 536(SP), R15
	ADDQ R15, R8
	ADDQ R15, R9
	ADDQ R15, R10
	ADDQ R15, R11
	ADDQ 544(SP), R13
	DECQ R12
	JNZ tile
	VZEROUPPER
	RET

// OUT2COLUMN transforms column SI of M, the rows of which are AX apart, and goes to the next.
#define OUT2COLUMN(o0, o1) \
	VMOVUPS (SI)(AX*1), o1 \
	VADDPS (SI)(AX*2), o1, o0 \
	VSUBPS (SI)(AX*2), o1, o1 \
	VADDPS (SI), o0, o0 \
	VADDPS (SI)(BX*1), o1, o1 \
	ADDQ DX, SI

// OUT2ROW transforms a row, adds the bias at DI and the residual, if any, and stores the pixels.
#define OUT2ROW(z0, z1, z2, z3, finish, partial, done) \
	VADDPS z2, z1, Y8 \
	VSUBPS z2, z1, z1 \
	VADDPS Y8, z0, z0 \
	VADDPS z3, z1, z1 \
	VADDPS (DI), z0, z0 \
	VADDPS (DI), z1, z1 \
	TESTQ R12, R12 \
	JZ finish \
	VMASKMOVPS (R13), Y14, Y9 \
	VMASKMOVPS (R13)(R10*1), Y14, Y10 \
	VADDPS Y9, z0, z0 \
	VADDPS Y10, z1, z1 \
	ADDQ R9, R13 \
finish: \
	CMPQ R15, R11 \
	JE partial \
	VMOVUPS z0, (R8) \
	VMOVUPS z1, (R8)(R10*1) \
	JMP done \
partial: \
	VMASKMOVPS z0, Y14, (R8) \
	VMASKMOVPS z1, Y14, (R8)(R10*1) \
done: \
	ADDQ R9, R8

// func winogradOutput2AVX2(arg *winogradOutput)
TEXT ·winogradOutput2AVX2(SB), NOSPLIT, $64-8
	MOVQ arg+0(FP), R15
	MOVQ winogradOutput_channels(R15), CX
	TAIL8
	MOVQ CX, 0(SP)                       // vectors
	MOVQ DX, 8(SP)                       // mask of the last
	MOVQ AX, R11                         // number of the vector that is not full
	SHLQ $5, CX
	MOVQ winogradOutput_pitch(R15), AX
	SHLQ $2, AX
	SUBQ CX, AX
	MOVQ AX, 16(SP)                      // what the source moves from tile to tile
	MOVQ winogradOutput_step(R15), AX
	SHLQ $2, AX
	SUBQ CX, AX
	MOVQ AX, 24(SP)                      // ... and the destination
	MOVQ winogradOutput_tiles(R15), AX
	MOVQ AX, 32(SP)
	MOVQ winogradOutput_bias(R15), AX
	MOVQ AX, 40(SP)
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
	VPCMPEQD Y14, Y14, Y14
	MOVQ 0(SP), R15
	MOVQ 40(SP), DI

vector:
	CMPQ R15, R11
	JNE columns
	MOVQ 8(SP), R14
	VMOVUPS (R14), Y14

columns:
	MOVQ SI, 48(SP)
	MOVQ R8, 56(SP)
	LEAQ (R8)(R12*1), R13
	OUT2COLUMN(Y0, Y4)
	OUT2COLUMN(Y1, Y5)
	OUT2COLUMN(Y2, Y6)
	OUT2COLUMN(Y3, Y7)
	OUT2ROW(Y0, Y1, Y2, Y3, finish0, partial0, done0)
	OUT2ROW(Y4, Y5, Y6, Y7, finish1, partial1, done1)
	MOVQ 48(SP), SI
	MOVQ 56(SP), R8
	ADDQ $32, SI
	ADDQ $32, R8
	ADDQ $32, DI
	DECQ R15
	JNZ vector

	ADDQ 16(SP), SI
	ADDQ 24(SP), R8
	DECQ 32(SP)
	JNZ tile
	VZEROUPPER
	RET
