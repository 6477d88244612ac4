// TAILMASK sets K2 to the lanes of the last vector of CX channels, K3 to all lanes, and leaves
// the number of vectors in CX. It uses AX and R14.
#define TAILMASK \
	LEAQ -1(CX), CX \
	MOVQ CX, R14 \
	ANDQ $15, CX \
	INCQ CX \
	MOVQ $1, AX \
	SHLQ CX, AX \
	DECQ AX \
	KMOVW AX, K2 \
	KXNORW K3, K3, K3 \
	MOVQ R14, CX \
	SHRQ $4, CX \
	INCQ CX
