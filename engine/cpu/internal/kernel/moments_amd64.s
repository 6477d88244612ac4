#include "textflag.h"

// func colMomentsAVX512(sums, squares, x, pivot *float32, rows, stride, n int)
//
// n is a multiple of 16 and not 0. The columns are taken 32 and then 16 at a time.
TEXT ·colMomentsAVX512(SB), NOSPLIT, $0-56
	MOVQ sums+0(FP), DI
	MOVQ squares+8(FP), SI
	MOVQ x+16(FP), DX
	MOVQ pivot+24(FP), BX
	MOVQ rows+32(FP), R8
	MOVQ stride+40(FP), R9
	MOVQ n+48(FP), CX
	SHLQ $2, R9

wide:
	CMPQ CX, $32
	JLT narrow
	VMOVUPS (BX), Z0
	VMOVUPS 64(BX), Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	VPXORD Z4, Z4, Z4
	VPXORD Z5, Z5, Z5
	MOVQ DX, R10
	MOVQ R8, AX

wideloop:
	VMOVUPS (R10), Z6
	VMOVUPS 64(R10), Z7
	VSUBPS Z0, Z6, Z6
	VSUBPS Z1, Z7, Z7
	VADDPS Z6, Z2, Z2
	VADDPS Z7, Z3, Z3
	VFMADD231PS Z6, Z6, Z4
	VFMADD231PS Z7, Z7, Z5
	ADDQ R9, R10
	DECQ AX
	JNZ wideloop
	VMOVUPS Z2, (DI)
	VMOVUPS Z3, 64(DI)
	VMOVUPS Z4, (SI)
	VMOVUPS Z5, 64(SI)
	ADDQ $128, DI
	ADDQ $128, SI
	ADDQ $128, DX
	ADDQ $128, BX
	SUBQ $32, CX
	JMP wide

narrow:
	TESTQ CX, CX
	JZ done
	VMOVUPS (BX), Z0
	VPXORD Z2, Z2, Z2
	VPXORD Z4, Z4, Z4

narrowloop:
	VMOVUPS (DX), Z6
	VSUBPS Z0, Z6, Z6
	VADDPS Z6, Z2, Z2
	VFMADD231PS Z6, Z6, Z4
	ADDQ R9, DX
	DECQ R8
	JNZ narrowloop
	VMOVUPS Z2, (DI)
	VMOVUPS Z4, (SI)

done:
	VZEROUPPER
	RET

// func colMomentsAVX2(sums, squares, x, pivot *float32, rows, stride, n int)
//
// n is a multiple of 8 and not 0. The columns are taken 16 and then 8 at a time.
TEXT ·colMomentsAVX2(SB), NOSPLIT, $0-56
	MOVQ sums+0(FP), DI
	MOVQ squares+8(FP), SI
	MOVQ x+16(FP), DX
	MOVQ pivot+24(FP), BX
	MOVQ rows+32(FP), R8
	MOVQ stride+40(FP), R9
	MOVQ n+48(FP), CX
	SHLQ $2, R9

wide:
	CMPQ CX, $16
	JLT narrow
	VMOVUPS (BX), Y0
	VMOVUPS 32(BX), Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	MOVQ DX, R10
	MOVQ R8, AX

wideloop:
	VMOVUPS (R10), Y6
	VMOVUPS 32(R10), Y7
	VSUBPS Y0, Y6, Y6
	VSUBPS Y1, Y7, Y7
	VADDPS Y6, Y2, Y2
	VADDPS Y7, Y3, Y3
	VFMADD231PS Y6, Y6, Y4
	VFMADD231PS Y7, Y7, Y5
	ADDQ R9, R10
	DECQ AX
	JNZ wideloop
	VMOVUPS Y2, (DI)
	VMOVUPS Y3, 32(DI)
	VMOVUPS Y4, (SI)
	VMOVUPS Y5, 32(SI)
	ADDQ $64, DI
	ADDQ $64, SI
	ADDQ $64, DX
	ADDQ $64, BX
	SUBQ $16, CX
	JMP wide

narrow:
	TESTQ CX, CX
	JZ done
	VMOVUPS (BX), Y0
	VXORPS Y2, Y2, Y2
	VXORPS Y4, Y4, Y4

narrowloop:
	VMOVUPS (DX), Y6
	VSUBPS Y0, Y6, Y6
	VADDPS Y6, Y2, Y2
	VFMADD231PS Y6, Y6, Y4
	ADDQ R9, DX
	DECQ R8
	JNZ narrowloop
	VMOVUPS Y2, (DI)
	VMOVUPS Y4, (SI)

done:
	VZEROUPPER
	RET
