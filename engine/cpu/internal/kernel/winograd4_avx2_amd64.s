#include "textflag.h"
#include "go_asm.h"
#include "winograd_avx2_amd64.h"

// The transforms of F(4x4) for AVX2. They work on 8 channels of a tile at a time, with the result
// of the first dimension on the stack. Everything is rounded as with AVX-512.

// IN4 transforms Y0 to Y5; the result is in Y0, Y6, Y1, Y5, Y4 and Y2.
#define IN4 \
	VMOVAPS Y4, Y6 \
	VMOVAPS Y3, Y7 \
	VFNMADD231PS Y2, Y11, Y6 \
	VFNMADD231PS Y1, Y11, Y7 \
	VFMSUB213PS Y2, Y11, Y0 \
	VFNMADD231PS Y3, Y11, Y5 \
	VFNMADD231PS Y2, Y10, Y4 \
	VFNMADD231PS Y1, Y10, Y3 \
	VFMADD213PS Y6, Y10, Y0 \
	VFNMADD231PS Y7, Y10, Y5 \
	VMOVAPS Y6, Y1 \
	VMOVAPS Y4, Y2 \
	VFMADD231PS Y7, Y8, Y6 \
	VFNMADD231PS Y7, Y8, Y1 \
	VFMADD231PS Y3, Y9, Y4 \
	VFNMADD231PS Y3, Y9, Y2

#define IN4COLUMN(d0, d1, d2, d3, d4, d5, t) \
	VMASKMOVPS d0, Y12, Y0 \
	VMASKMOVPS d1, Y12, Y1 \
	VMASKMOVPS d2, Y12, Y2 \
	VMASKMOVPS d3, Y12, Y3 \
	VMASKMOVPS d4, Y12, Y4 \
	VMASKMOVPS d5, Y12, Y5 \
	IN4 \
	VMOVUPS Y0, (0*192+t*32)(SP) \
	VMOVUPS Y6, (1*192+t*32)(SP) \
	VMOVUPS Y1, (2*192+t*32)(SP) \
	VMOVUPS Y5, (3*192+t*32)(SP) \
	VMOVUPS Y4, (4*192+t*32)(SP) \
	VMOVUPS Y2, (5*192+t*32)(SP)

#define IN4ROW(t) \
	VMOVUPS (t*192+0*32)(SP), Y0 \
	VMOVUPS (t*192+1*32)(SP), Y1 \
	VMOVUPS (t*192+2*32)(SP), Y2 \
	VMOVUPS (t*192+3*32)(SP), Y3 \
	VMOVUPS (t*192+4*32)(SP), Y4 \
	VMOVUPS (t*192+5*32)(SP), Y5 \
	IN4 \
	VMOVUPS Y0, (DI) \
	VMOVUPS Y6, (DI)(SI*1) \
	VMOVUPS Y1, (DI)(SI*2) \
	VMOVUPS Y5, (DI)(DX*1) \
	VMOVUPS Y4, (DI)(SI*4) \
	VMOVUPS Y2, (DI)(R14*1) \
	LEAQ (DI)(DX*2), DI

// func winogradInput4AVX2(arg *winogradInput)
TEXT ·winogradInput4AVX2(SB), 0, $1216-8
	MOVQ arg+0(FP), R15
	VBROADCASTSS ·winogradConstants+0(SB), Y8
	VBROADCASTSS ·winogradConstants+4(SB), Y9
	VBROADCASTSS ·winogradConstants+8(SB), Y10
	VBROADCASTSS ·winogradConstants+12(SB), Y11
	MOVQ winogradInput_channels(R15), CX
	TAIL8
	MOVQ CX, 1152(SP)                    // vectors
	MOVQ DX, 1160(SP)                    // mask of the last
	MOVQ AX, 1200(SP)                    // number of the vector that is not full
	SHLQ $5, CX
	MOVQ winogradInput_step(R15), AX
	SHLQ $2, AX
	SUBQ CX, AX
	MOVQ AX, 1168(SP)                    // what rows of the source move from tile to tile
	MOVQ winogradInput_pitch(R15), AX
	SHLQ $2, AX
	SUBQ CX, AX
	MOVQ AX, 1176(SP)                    // ... and the destination
	MOVQ winogradInput_tiles(R15), AX
	MOVQ AX, 1184(SP)
	MOVQ winogradInput_src+0(R15), R8
	MOVQ winogradInput_src+24(R15), R9
	MOVQ winogradInput_src+48(R15), R10
	MOVQ winogradInput_src+72(R15), R11
	MOVQ winogradInput_src+96(R15), R12
	MOVQ winogradInput_src+120(R15), R13
	MOVQ winogradInput_dst(R15), DI
	MOVQ winogradInput_pixel(R15), AX
	SHLQ $2, AX
	LEAQ (AX)(AX*2), BX
	LEAQ (AX)(AX*4), CX
	MOVQ winogradInput_point(R15), SI
	SHLQ $2, SI
	LEAQ (SI)(SI*2), DX
	LEAQ (SI)(SI*4), R14

tile:
	VPCMPEQD Y12, Y12, Y12
	MOVQ 1152(SP), R15
	MOVQ DI, 1192(SP)

vector:
	CMPQ R15, 1200(SP)
	JNE columns
	MOVQ 1160(SP), DI
	VMOVUPS (DI), Y12

columns:
	IN4COLUMN((R8), (R9), (R10), (R11), (R12), (R13), 0)
	IN4COLUMN((R8)(AX*1), (R9)(AX*1), (R10)(AX*1), (R11)(AX*1), (R12)(AX*1), (R13)(AX*1), 1)
	IN4COLUMN((R8)(AX*2), (R9)(AX*2), (R10)(AX*2), (R11)(AX*2), (R12)(AX*2), (R13)(AX*2), 2)
	IN4COLUMN((R8)(BX*1), (R9)(BX*1), (R10)(BX*1), (R11)(BX*1), (R12)(BX*1), (R13)(BX*1), 3)
	IN4COLUMN((R8)(AX*4), (R9)(AX*4), (R10)(AX*4), (R11)(AX*4), (R12)(AX*4), (R13)(AX*4), 4)
	IN4COLUMN((R8)(CX*1), (R9)(CX*1), (R10)(CX*1), (R11)(CX*1), (R12)(CX*1), (R13)(CX*1), 5)
	MOVQ 1192(SP), DI
	IN4ROW(0)
	IN4ROW(1)
	IN4ROW(2)
	IN4ROW(3)
	IN4ROW(4)
	IN4ROW(5)
	ADDQ $32, R8
	ADDQ $32, R9
	ADDQ $32, R10
	ADDQ $32, R11
	ADDQ $32, R12
	ADDQ $32, R13
	MOVQ 1192(SP), DI
	ADDQ $32, DI
	MOVQ DI, 1192(SP)
	DECQ R15
	JNZ vector

	MOVQ 1168(SP), R15
	ADDQ R15, R8
	ADDQ R15, R9
	ADDQ R15, R10
	ADDQ R15, R11
	ADDQ R15, R12
	ADDQ R15, R13
	ADDQ 1176(SP), DI
	DECQ 1184(SP)
	JNZ tile
	VZEROUPPER
	RET

// OUT4COLUMN transforms column SI of M, the rows of which are AX apart, and goes to the next.
#define OUT4COLUMN(t) \
	VMOVUPS (SI)(AX*1), Y1 \
	VMOVUPS (SI)(AX*4), Y5 \
	VMOVUPS (SI)(BX*1), Y3 \
	VADDPS (SI)(AX*2), Y1, Y2 \
	VSUBPS (SI)(AX*2), Y1, Y1 \
	VADDPS (SI)(CX*1), Y5, Y4 \
	VSUBPS (SI)(CX*1), Y5, Y5 \
	VADDPS (SI), Y2, Y0 \
	VFMADD231PS Y1, Y12, Y3 \
	VMULPS Y2, Y10, Y2 \
	VMULPS Y1, Y8, Y1 \
	VADDPS Y4, Y0, Y0 \
	VFMADD231PS Y5, Y13, Y3 \
	VFMADD231PS Y4, Y11, Y2 \
	VFMADD231PS Y5, Y9, Y1 \
	VMOVUPS Y0, (0*192+t*32)(SP) \
	VMOVUPS Y1, (1*192+t*32)(SP) \
	VMOVUPS Y2, (2*192+t*32)(SP) \
	VMOVUPS Y3, (3*192+t*32)(SP) \
	ADDQ DX, SI

// OUT4ROW transforms a row, adds the bias at DI and the residual, if any, and stores the pixels.
#define OUT4ROW(t, finish, partial, done) \
	VMOVUPS (t*192+1*32)(SP), Y1 \
	VMOVUPS (t*192+2*32)(SP), Y2 \
	VMOVUPS (t*192+4*32)(SP), Y4 \
	VMOVUPS (t*192+5*32)(SP), Y5 \
	VMOVUPS (t*192+0*32)(SP), Y0 \
	VMOVUPS (t*192+3*32)(SP), Y3 \
	VADDPS Y2, Y1, Y6 \
	VSUBPS Y2, Y1, Y1 \
	VADDPS Y5, Y4, Y7 \
	VSUBPS Y5, Y4, Y4 \
	VADDPS Y6, Y0, Y0 \
	VFMADD231PS Y1, Y12, Y3 \
	VFMADD213PS (DI), Y8, Y1 \
	VFMADD213PS (DI), Y10, Y6 \
	VADDPS Y7, Y0, Y0 \
	VFMADD231PS Y4, Y13, Y3 \
	VFMADD231PS Y4, Y9, Y1 \
	VFMADD231PS Y7, Y11, Y6 \
	VADDPS (DI), Y0, Y0 \
	VADDPS (DI), Y3, Y3 \
	TESTQ R12, R12 \
	JZ finish \
	VMASKMOVPS (R13), Y14, Y2 \
	VMASKMOVPS (R13)(R10*1), Y14, Y4 \
	VMASKMOVPS (R13)(R10*2), Y14, Y5 \
	VMASKMOVPS (R13)(R11*1), Y14, Y7 \
	VADDPS Y2, Y0, Y0 \
	VADDPS Y4, Y1, Y1 \
	VADDPS Y5, Y6, Y6 \
	VADDPS Y7, Y3, Y3 \
	ADDQ R9, R13 \
finish: \
	CMPQ R15, 832(SP) \
	JE partial \
	VMOVUPS Y0, (R8) \
	VMOVUPS Y1, (R8)(R10*1) \
	VMOVUPS Y6, (R8)(R10*2) \
	VMOVUPS Y3, (R8)(R11*1) \
	JMP done \
partial: \
	VMASKMOVPS Y0, Y14, (R8) \
	VMASKMOVPS Y1, Y14, (R8)(R10*1) \
	VMASKMOVPS Y6, Y14, (R8)(R10*2) \
	VMASKMOVPS Y3, Y14, (R8)(R11*1) \
done: \
	ADDQ R9, R8

// func winogradOutput4AVX2(arg *winogradOutput)
TEXT ·winogradOutput4AVX2(SB), 0, $840-8
	MOVQ arg+0(FP), R15
	VBROADCASTSS ·winogradConstants+0(SB), Y8
	VBROADCASTSS ·winogradConstants+4(SB), Y9
	VBROADCASTSS ·winogradConstants+8(SB), Y10
	VBROADCASTSS ·winogradConstants+12(SB), Y11
	VBROADCASTSS ·winogradConstants+16(SB), Y12
	VBROADCASTSS ·winogradConstants+20(SB), Y13
	MOVQ winogradOutput_channels(R15), CX
	TAIL8
	MOVQ CX, 768(SP)                     // vectors
	MOVQ DX, 776(SP)                     // mask of the last
	MOVQ AX, 832(SP)                     // number of the vector that is not full
	SHLQ $5, CX
	MOVQ winogradOutput_pitch(R15), AX
	SHLQ $2, AX
	SUBQ CX, AX
	MOVQ AX, 784(SP)                     // what the source moves from tile to tile
	MOVQ winogradOutput_step(R15), AX
	SHLQ $2, AX
	SUBQ CX, AX
	MOVQ AX, 792(SP)                     // ... and the destination
	MOVQ winogradOutput_tiles(R15), AX
	MOVQ AX, 800(SP)
	MOVQ winogradOutput_bias(R15), AX
	MOVQ AX, 808(SP)
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
	VPCMPEQD Y14, Y14, Y14
	MOVQ 768(SP), R15
	MOVQ 808(SP), DI

vector:
	CMPQ R15, 832(SP)
	JNE columns
	MOVQ 776(SP), R14
	VMOVUPS (R14), Y14

columns:
	MOVQ SI, 816(SP)
	MOVQ R8, 824(SP)
	LEAQ (R8)(R12*1), R13
	OUT4COLUMN(0)
	OUT4COLUMN(1)
	OUT4COLUMN(2)
	OUT4COLUMN(3)
	OUT4COLUMN(4)
	OUT4COLUMN(5)
	OUT4ROW(0, finish0, partial0, done0)
	OUT4ROW(1, finish1, partial1, done1)
	OUT4ROW(2, finish2, partial2, done2)
	OUT4ROW(3, finish3, partial3, done3)
	MOVQ 816(SP), SI
	MOVQ 824(SP), R8
	ADDQ $32, SI
	ADDQ $32, R8
	ADDQ $32, DI
	DECQ R15
	JNZ vector

	ADDQ 784(SP), SI
	ADDQ 792(SP), R8
	DECQ 800(SP)
	JNZ tile
	VZEROUPPER
	RET
