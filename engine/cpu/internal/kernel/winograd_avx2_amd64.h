// TAIL8 leaves the number of vectors of CX channels in CX, the address of the mask of the last one
// in DX, and in AX 1 if the last one is not full, 0 if it is.
#define TAIL8 \
	LEAQ -1(CX), CX \
	MOVQ CX, AX \
	NOTQ AX \
	ANDQ $7, AX \
	LEAQ ·lanes+32(SB), DX \
	LEAQ (DX)(AX*4), DX \
	NEGQ AX \
	SBBQ AX, AX \
	NEGQ AX \
	SHRQ $3, CX \
	INCQ CX
