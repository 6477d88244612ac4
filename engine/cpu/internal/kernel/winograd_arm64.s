#include "textflag.h"
#include "go_asm.h"
#include "neon_arm64.h"

// Winograd's transforms for NEON. They work on 4 channels of a tile at a time, with the result of
// the first dimension on the stack. Everything is rounded as with AVX2 and AVX-512.
//
// The powers of the points are in V31 (a, b, a^2, b^2) and V30 (a^3, b^3).

// Multiplications by a lane.
#define FMLSLANE(d, n, m, lane) NEON3(0x4f805000 | (((lane)&1)<<21) | (((lane)>>1)<<11), d, n, m)
#define FMULLANE(d, n, m, lane) NEON3(0x4f809000 | (((lane)&1)<<21) | (((lane)>>1)<<11), d, n, m)

// IN4 transforms V0 to V5; the result is in V0, V6, V1, V5, V4 and V2.
#define IN4 \
	COPY(V4, V6) \
	COPY(V3, V7) \
	FNEG(16, 2) \
	FMLSLANE(6, 2, 31, 3) \
	FMLSLANE(7, 1, 31, 3) \
	FMLALANE(16, 0, 31, 3) \
	FMLSLANE(5, 3, 31, 3) \
	FMLSLANE(4, 2, 31, 2) \
	FMLSLANE(3, 1, 31, 2) \
	COPY(V6, V0) \
	COPY(V6, V1) \
	COPY(V4, V2) \
	FMLALANE(0, 16, 31, 2) \
	FMLSLANE(5, 7, 31, 2) \
	FMLALANE(6, 7, 31, 0) \
	FMLSLANE(1, 7, 31, 0) \
	FMLALANE(4, 3, 31, 1) \
	FMLSLANE(2, 3, 31, 1)

// PUT stores at a point and goes to the next.
#define PUT(f) \
	FMOVQ f, (R10) \
	ADD R8, R10

// SIZES leaves the number of vectors in R15 and, in R17 and R19, what source and destination move
// from the end of a tile to the next, for the fields of that name.
#define SIZES(channels, from, to) \
	MOVD channels(R0), R15 \
	MOVD from(R0), R17 \
	MOVD to(R0), R19 \
	SUB R15, R17 \
	SUB R15, R19 \
	LSL $2, R17 \
	LSL $2, R19 \
	LSR $2, R15

// func winogradInput4NEON(arg *winogradInput)
TEXT ·winogradInput4NEON(SB), NOSPLIT, $576-8
	MOVD arg+0(FP), R0
	MOVD $·winogradConstants(SB), R1
	FMOVQ (R1), F31
	SIZES(winogradInput_channels, winogradInput_step, winogradInput_pitch)
	MOVD winogradInput_src+0(R0), R1
	MOVD winogradInput_src+24(R0), R2
	MOVD winogradInput_src+48(R0), R3
	MOVD winogradInput_src+72(R0), R4
	MOVD winogradInput_src+96(R0), R5
	MOVD winogradInput_src+120(R0), R6
	MOVD winogradInput_pixel(R0), R7
	LSL $2, R7
	MOVD winogradInput_point(R0), R8
	LSL $2, R8
	MOVD winogradInput_dst(R0), R9
	MOVD winogradInput_tiles(R0), R14
	ADD R7<<1, R7, R16
	LSL $1, R16
	SUB $16, R16                         // from the last column back to the next channels

tile:
	MOVD R15, R13

vector:
	MOVD $temp-576(SP), R11
	MOVD $6, R20

column:
	FMOVQ (R1), F0
	FMOVQ (R2), F1
	FMOVQ (R3), F2
	FMOVQ (R4), F3
	FMOVQ (R5), F4
	FMOVQ (R6), F5
	ADD R7, R1
	ADD R7, R2
	ADD R7, R3
	ADD R7, R4
	ADD R7, R5
	ADD R7, R6
	IN4
	FMOVQ F0, (R11)
	FMOVQ F6, 96(R11)
	FMOVQ F1, 192(R11)
	FMOVQ F5, 288(R11)
	FMOVQ F4, 384(R11)
	FMOVQ F2, 480(R11)
	ADD $16, R11
	SUBS $1, R20
	BNE column

	MOVD $temp-576(SP), R11
	MOVD $6, R20
	MOVD R9, R10

row:
	FLDPQ (R11), (F0, F1)
	FLDPQ 32(R11), (F2, F3)
	FLDPQ 64(R11), (F4, F5)
	ADD $96, R11
	IN4
	PUT(F0)
	PUT(F6)
	PUT(F1)
	PUT(F5)
	PUT(F4)
	PUT(F2)
	SUBS $1, R20
	BNE row

	SUB R16, R1
	SUB R16, R2
	SUB R16, R3
	SUB R16, R4
	SUB R16, R5
	SUB R16, R6
	ADD $16, R9
	SUBS $1, R13
	BNE vector

	ADD R17, R1
	ADD R17, R2
	ADD R17, R3
	ADD R17, R4
	ADD R17, R5
	ADD R17, R6
	ADD R19, R9
	SUBS $1, R14
	BNE tile
	RET

// func winogradInput2NEON(arg *winogradInput)
TEXT ·winogradInput2NEON(SB), NOSPLIT, $256-8
	MOVD arg+0(FP), R0
	SIZES(winogradInput_channels, winogradInput_step, winogradInput_pitch)
	MOVD winogradInput_src+0(R0), R1
	MOVD winogradInput_src+24(R0), R2
	MOVD winogradInput_src+48(R0), R3
	MOVD winogradInput_src+72(R0), R4
	MOVD winogradInput_pixel(R0), R7
	LSL $2, R7
	MOVD winogradInput_point(R0), R8
	LSL $2, R8
	MOVD winogradInput_dst(R0), R9
	MOVD winogradInput_tiles(R0), R14
	LSL $2, R7, R16
	SUB $16, R16                         // from the last column back to the next channels

// IN2 transforms V0 to V3; the result is in V0, V4, V2 and V3.
#define IN2 \
	FADD(4, 1, 2) \
	FSUB(0, 0, 2) \
	FSUB(2, 2, 1) \
	FSUB(3, 3, 1)

tile:
	MOVD R15, R13

vector:
	MOVD $temp-256(SP), R11
	MOVD $4, R20

column:
	FMOVQ (R1), F0
	FMOVQ (R2), F1
	FMOVQ (R3), F2
	FMOVQ (R4), F3
	ADD R7, R1
	ADD R7, R2
	ADD R7, R3
	ADD R7, R4
	IN2
	FMOVQ F0, (R11)
	FMOVQ F4, 64(R11)
	FMOVQ F2, 128(R11)
	FMOVQ F3, 192(R11)
	ADD $16, R11
	SUBS $1, R20
	BNE column

	MOVD $temp-256(SP), R11
	MOVD $4, R20
	MOVD R9, R10

row:
	FLDPQ (R11), (F0, F1)
	FLDPQ 32(R11), (F2, F3)
	ADD $64, R11
	IN2
	PUT(F0)
	PUT(F4)
	PUT(F2)
	PUT(F3)
	SUBS $1, R20
	BNE row

	SUB R16, R1
	SUB R16, R2
	SUB R16, R3
	SUB R16, R4
	ADD $16, R9
	SUBS $1, R13
	BNE vector

	ADD R17, R1
	ADD R17, R2
	ADD R17, R3
	ADD R17, R4
	ADD R19, R9
	SUBS $1, R14
	BNE tile
	RET

// OUTPUT loads the arguments of an output transform, with n points in a row of M:
//	R1 M              R5 distance of points   R8 distance of output rows
//	R2 output         R6 distance of columns  R7 distance of pixels
//	R3 residual or 0  R4 bias                 R14 tiles
#define OUTPUT \
	SIZES(winogradOutput_channels, winogradOutput_pitch, winogradOutput_step) \
	MOVD winogradOutput_src(R0), R1 \
	MOVD winogradOutput_dst(R0), R2 \
	MOVD winogradOutput_add(R0), R3 \
	MOVD winogradOutput_point(R0), R5 \
	LSL $2, R5 \
	MOVD winogradOutput_row(R0), R8 \
	LSL $2, R8 \
	MOVD winogradOutput_pixel(R0), R7 \
	LSL $2, R7 \
	MOVD winogradOutput_tiles(R0), R14

// GET loads from M and goes to the next row of points.
#define GET(f) \
	FMOVQ (R12), f \
	ADD R6, R12

// PIXEL adds the residual, if any, to a pixel of register v, stores it and goes to the next.
#define PIXEL(f, v, store) \
	CBZ R3, store \
	FMOVQ (R16), F16 \
	ADD R7, R16 \
	FADD(v, v, 16) \
store: \
	FMOVQ f, (R10) \
	ADD R7, R10

// func winogradOutput4NEON(arg *winogradOutput)
TEXT ·winogradOutput4NEON(SB), NOSPLIT, $384-8
	MOVD arg+0(FP), R0
	MOVD $·winogradConstants(SB), R1
	FMOVQ (R1), F31
	FMOVD 16(R1), F30
	OUTPUT
	ADD R5<<1, R5, R6
	LSL $1, R6                           // rows of M are six points apart

tile:
	MOVD R15, R13
	MOVD winogradOutput_bias(R0), R4

vector:
	MOVD $temp-384(SP), R11
	MOVD $6, R20
	MOVD R1, R21

column:
	MOVD R21, R12
	GET(F0)
	GET(F1)
	GET(F2)
	GET(F3)
	GET(F4)
	GET(F5)
	ADD R5, R21
	FADD(6, 1, 2)
	FSUB(7, 1, 2)
	FADD(16, 4, 5)
	FSUB(17, 4, 5)
	FADD(0, 0, 6)
	FMLALANE(3, 7, 30, 0)
	FMULLANE(6, 6, 31, 2)
	FMULLANE(7, 7, 31, 0)
	FADD(0, 0, 16)
	FMLALANE(3, 17, 30, 1)
	FMLALANE(6, 16, 31, 3)
	FMLALANE(7, 17, 31, 1)
	FMOVQ F0, (R11)
	FMOVQ F7, 96(R11)
	FMOVQ F6, 192(R11)
	FMOVQ F3, 288(R11)
	ADD $16, R11
	SUBS $1, R20
	BNE column

	FMOVQ (R4), F18
	MOVD $temp-384(SP), R11
	MOVD $4, R20
	MOVD R2, R21
	MOVD R3, R22

row:
	FLDPQ (R11), (F0, F1)
	FLDPQ 32(R11), (F2, F3)
	FLDPQ 64(R11), (F4, F5)
	ADD $96, R11
	COPY(V18, V19)
	COPY(V18, V20)
	FADD(6, 1, 2)
	FSUB(7, 1, 2)
	FADD(16, 4, 5)
	FSUB(17, 4, 5)
	FADD(0, 0, 6)
	FMLALANE(3, 7, 30, 0)
	FMLALANE(19, 7, 31, 0)
	FMLALANE(20, 6, 31, 2)
	FADD(0, 0, 16)
	FMLALANE(3, 17, 30, 1)
	FMLALANE(19, 17, 31, 1)
	FMLALANE(20, 16, 31, 3)
	FADD(0, 0, 18)
	FADD(3, 3, 18)
	MOVD R21, R10
	MOVD R22, R16
	PIXEL(F0, 0, store0)
	PIXEL(F19, 19, store1)
	PIXEL(F20, 20, store2)
	PIXEL(F3, 3, store3)
	ADD R8, R21
	ADD R8, R22
	SUBS $1, R20
	BNE row

	ADD $16, R1
	ADD $16, R2
	ADD $16, R4
	CBZ R3, next
	ADD $16, R3

next:
	SUBS $1, R13
	BNE vector

	ADD R17, R1
	ADD R19, R2
	CBZ R3, last
	ADD R19, R3

last:
	SUBS $1, R14
	BNE tile
	RET

// func winogradOutput2NEON(arg *winogradOutput)
TEXT ·winogradOutput2NEON(SB), NOSPLIT, $128-8
	MOVD arg+0(FP), R0
	OUTPUT
	LSL $2, R5, R6                       // rows of M are four points apart

tile:
	MOVD R15, R13
	MOVD winogradOutput_bias(R0), R4

vector:
	MOVD $temp-128(SP), R11
	MOVD $4, R20
	MOVD R1, R21

column:
	MOVD R21, R12
	GET(F0)
	GET(F1)
	GET(F2)
	GET(F3)
	ADD R5, R21
	FADD(4, 1, 2)
	FSUB(1, 1, 2)
	FADD(0, 0, 4)
	FADD(1, 1, 3)
	FMOVQ F0, (R11)
	FMOVQ F1, 64(R11)
	ADD $16, R11
	SUBS $1, R20
	BNE column

	FMOVQ (R4), F18
	MOVD $temp-128(SP), R11
	MOVD $2, R20
	MOVD R2, R21
	MOVD R3, R22

row:
	FLDPQ (R11), (F0, F1)
	FLDPQ 32(R11), (F2, F3)
	ADD $64, R11
	FADD(4, 1, 2)
	FSUB(1, 1, 2)
	FADD(0, 0, 4)
	FADD(1, 1, 3)
	FADD(0, 0, 18)
	FADD(1, 1, 18)
	MOVD R21, R10
	MOVD R22, R16
	PIXEL(F0, 0, store0)
	PIXEL(F1, 1, store1)
	ADD R8, R21
	ADD R8, R22
	SUBS $1, R20
	BNE row

	ADD $16, R1
	ADD $16, R2
	ADD $16, R4
	CBZ R3, next
	ADD $16, R3

next:
	SUBS $1, R13
	BNE vector

	ADD R17, R1
	ADD R19, R2
	CBZ R3, last
	ADD R19, R3

last:
	SUBS $1, R14
	BNE tile
	RET
