// Instructions of AVX512_BF16, which Go's assembler does not know. The arguments are numbers of
// registers. In an EVEX prefix the bits of registers are inverted.

#define EVEXBIT(n, bit, to) (((((n)>>(bit))&1)^1)<<(to))

// DPBF16 is VDPBF16PS Zb, Za, Zc: each element of Zc grows by the products of a pair of bfloat16.
#define DPBF16(b, a, c) \
	BYTE $0x62 \
	BYTE $(0x02 | EVEXBIT(c, 3, 7) | EVEXBIT(b, 4, 6) | EVEXBIT(b, 3, 5) | EVEXBIT(c, 4, 4)) \
	BYTE $(0x06 | EVEXBIT(a, 0, 3) | EVEXBIT(a, 1, 4) | EVEXBIT(a, 2, 5) | EVEXBIT(a, 3, 6)) \
	BYTE $(0x40 | EVEXBIT(a, 4, 3)) \
	BYTE $0x52 \
	BYTE $(0xc0 | ((c)&7)<<3 | ((b)&7))

// TOBF16 is VCVTNEPS2BF16 Za, Yc: it rounds 16 elements to bfloat16, to nearest even.
#define TOBF16(a, c) \
	BYTE $0x62 \
	BYTE $(0x02 | EVEXBIT(c, 3, 7) | EVEXBIT(a, 4, 6) | EVEXBIT(a, 3, 5) | EVEXBIT(c, 4, 4)) \
	BYTE $0x7e \
	BYTE $0x48 \
	BYTE $0x72 \
	BYTE $(0xc0 | ((c)&7)<<3 | ((a)&7))
