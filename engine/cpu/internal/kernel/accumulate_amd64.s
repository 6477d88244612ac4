#include "textflag.h"

// func accumulateAVX512(acc *float64, part *float32, n int)
TEXT ·accumulateAVX512(SB), NOSPLIT, $0-24
	MOVQ acc+0(FP), DI
	MOVQ part+8(FP), SI
	MOVQ n+16(FP), CX
	SUBQ $16, CX
	JLT eight

loop:
	VCVTPS2PD (SI), Z0
	VCVTPS2PD 32(SI), Z1
	VADDPD (DI), Z0, Z0
	VADDPD 64(DI), Z1, Z1
	VMOVUPD Z0, (DI)
	VMOVUPD Z1, 64(DI)
	ADDQ $64, SI
	ADDQ $128, DI
	SUBQ $16, CX
	JGE loop

eight:
	ADDQ $8, CX
	JLT tail
	VCVTPS2PD (SI), Z0
	VADDPD (DI), Z0, Z0
	VMOVUPD Z0, (DI)
	ADDQ $32, SI
	ADDQ $64, DI
	SUBQ $8, CX

tail:
	ADDQ $8, CX
	JZ done

one:
	VXORPS X0, X0, X0
	VCVTSS2SD (SI), X0, X0
	VADDSD (DI), X0, X0
	VMOVSD X0, (DI)
	ADDQ $4, SI
	ADDQ $8, DI
	DECQ CX
	JNZ one

done:
	VZEROUPPER
	RET

// func accumulateAVX2(acc *float64, part *float32, n int)
TEXT ·accumulateAVX2(SB), NOSPLIT, $0-24
	MOVQ acc+0(FP), DI
	MOVQ part+8(FP), SI
	MOVQ n+16(FP), CX
	SUBQ $8, CX
	JLT tail

loop:
	VCVTPS2PD (SI), Y0
	VCVTPS2PD 16(SI), Y1
	VADDPD (DI), Y0, Y0
	VADDPD 32(DI), Y1, Y1
	VMOVUPD Y0, (DI)
	VMOVUPD Y1, 32(DI)
	ADDQ $32, SI
	ADDQ $64, DI
	SUBQ $8, CX
	JGE loop

tail:
	ADDQ $8, CX
	JZ done

one:
	VXORPS X0, X0, X0
	VCVTSS2SD (SI), X0, X0
	VADDSD (DI), X0, X0
	VMOVSD X0, (DI)
	ADDQ $4, SI
	ADDQ $8, DI
	DECQ CX
	JNZ one

done:
	VZEROUPPER
	RET
