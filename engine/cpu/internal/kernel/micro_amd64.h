// What the micro-kernels of all widths share: the walk over the runs of a block.
//
// The pointers of the rows of the left-hand side point to the end of the current run, and R14
// counts from -n to 0:
//	row 0: AX  1: BX  2: CX  3: DX  4: SI  5: DI  6: R8  7: R9  8: R10  9: R11  10: R12  11: R13
// R15 walks through the panel.

// START prepares the walk over the runs: the block is at DI.
#define START(none) \
	MOVQ block_b(DI), AX \
	MOVQ AX, panel-8(SP) \
	MOVQ $0, end-16(SP) \
	MOVQ block_runs(DI), AX \
	MOVQ AX, runs-24(SP) \
	MOVQ block_runs+8(DI), AX \
	MOVQ AX, left-32(SP) \
	TESTQ AX, AX \
	JZ none \
	MOVQ block_m(DI), R13 \
	MOVQ block_a(DI), R14 \
	MOVQ block_aOff(DI), R15

#define POINTER(i, p) \
	MOVQ i*8(R15), p \
	LEAQ (R14)(p*4), p

// NEXT leaves in R14 the distance from the end of the last run to the end of the next.
#define NEXT \
	MOVQ runs-24(SP), R15 \
	MOVQ 0(R15), R14 \
	ADDQ 16(R15), R14 \
	SHLQ $2, R14 \
	SUBQ end-16(SP), R14 \
	ADDQ R14, end-16(SP)

// ENTER starts the counter and the walk through a panel of 1<<shift bytes a row.
#define ENTER(shift) \
	MOVQ 16(R15), R14 \
	NEGQ R14 \
	MOVQ 8(R15), R15 \
	SHLQ $shift, R15 \
	ADDQ panel-8(SP), R15

#define LEAVE(again, done) \
	ADDQ $24, runs-24(SP) \
	DECQ left-32(SP) \
	JNZ again \
	JMP done

#define MOVE1 ADDQ R14, AX
#define MOVE2 MOVE1; ADDQ R14, BX
#define MOVE4 MOVE2; ADDQ R14, CX; ADDQ R14, DX
#define MOVE6 MOVE4; ADDQ R14, SI; ADDQ R14, DI
#define MOVE8 MOVE4; ADDQ R14, SI; ADDQ R14, DI; ADDQ R14, R8; ADDQ R14, R9
#define MOVE12 MOVE8; ADDQ R14, R10; ADDQ R14, R11; ADDQ R14, R12; ADDQ R14, R13

// POINTERS12 loads the pointers of the rows and goes to the loop for their number, R13.
#define POINTERS12 \
	POINTER(0, AX) \
	CMPQ R13, $1; JE again1 \
	POINTER(1, BX) \
	CMPQ R13, $2; JE again2 \
	POINTER(2, CX) \
	POINTER(3, DX) \
	CMPQ R13, $4; JE again4 \
	POINTER(4, SI) \
	POINTER(5, DI) \
	POINTER(6, R8) \
	POINTER(7, R9) \
	CMPQ R13, $8; JE again8 \
	POINTER(8, R10) \
	POINTER(9, R11) \
	POINTER(10, R12) \
	POINTER(11, R13)

#define POINTERS6 \
	POINTER(0, AX) \
	CMPQ R13, $1; JE again1 \
	POINTER(1, BX) \
	CMPQ R13, $2; JE again2 \
	POINTER(2, CX) \
	POINTER(3, DX) \
	CMPQ R13, $4; JE again4 \
	POINTER(4, SI) \
	POINTER(5, DI)
