package checkpoint

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"unicode/utf8"
)

// The pickle opcodes that PyTorch's files use, in protocols 1 to 5, by their names in Python's
// pickletools. Out-of-band buffers and the copyreg extension registry are not among them.
const (
	opMark            = '('
	opStop            = '.'
	opPop             = '0'
	opPopMark         = '1'
	opDup             = '2'
	opInt             = 'I'
	opBinInt          = 'J'
	opBinInt1         = 'K'
	opLong            = 'L'
	opBinInt2         = 'M'
	opNone            = 'N'
	opBinPersID       = 'Q'
	opReduce          = 'R'
	opBinString       = 'T'
	opShortBinString  = 'U'
	opBinUnicode      = 'X'
	opAppend          = 'a'
	opBuild           = 'b'
	opGlobal          = 'c'
	opAppends         = 'e'
	opBinGet          = 'h'
	opLongBinGet      = 'j'
	opBinPut          = 'q'
	opLongBinPut      = 'r'
	opSetItem         = 's'
	opTuple           = 't'
	opSetItems        = 'u'
	opBinBytes        = 'B'
	opShortBinBytes   = 'C'
	opBinFloat        = 'G'
	opEmptyList       = ']'
	opEmptyTuple      = ')'
	opEmptyDict       = '}'
	opProto           = 0x80
	opNewObj          = 0x81
	opTuple1          = 0x85
	opTuple2          = 0x86
	opTuple3          = 0x87
	opNewTrue         = 0x88
	opNewFalse        = 0x89
	opLong1           = 0x8a
	opLong4           = 0x8b
	opShortBinUnicode = 0x8c
	opBinUnicode8     = 0x8d
	opBinBytes8       = 0x8e
	opEmptySet        = 0x8f
	opAddItems        = 0x90
	opFrozenSet       = 0x91
	opNewObjEx        = 0x92
	opStackGlobal     = 0x93
	opMemoize         = 0x94
	opFrame           = 0x95
	opByteArray8      = 0x96
)

const (
	// pickleMemory bounds what the values of a file's pickles may take, in the rough counting
	// of unpickler.spend. A tensor with its name takes about 2 KB.
	pickleMemory = 40 << 20
	// maxLine bounds the text arguments of opcodes: numbers, modules and names.
	maxLine = 1024
)

// unpickler is a stack machine that turns pickles into the values of pickle_values.go. It has
// no way to call anything: the few constructors that it knows are cases of construct, and all
// other classes and functions become opaque values.
type unpickler struct {
	r       *bufio.Reader
	left    int64 // bytes of the stream that have not been read
	memory  int64 // what is left of pickleMemory
	stack   []any
	marks   []int
	memo    map[uint64]any
	persist func(id any) (any, error)
}

func newUnpickler(s *source, off, size int64) *unpickler {
	return &unpickler{r: bufio.NewReader(io.NewSectionReader(s, off, size)), left: size, memory: pickleMemory}
}

// load interprets one pickle and leaves the stream behind it.
func (u *unpickler) load() (any, error) {
	u.stack, u.marks, u.memo = u.stack[:0], u.marks[:0], make(map[uint64]any)
	for {
		op, err := u.byte()
		if err != nil {
			return nil, err
		}
		if op == opStop {
			return u.pop()
		}
		if err := u.step(op); err != nil {
			return nil, err
		}
	}
}

func (u *unpickler) step(op byte) error {
	switch op {
	case opProto:
		v, err := u.byte()
		if err == nil && v > 5 {
			err = fmt.Errorf("pickle protocol %d: %w", v, ErrUnsupported)
		}
		return err
	case opFrame:
		_, err := u.uint(8) // a hint for buffering
		return err
	case opMark:
		u.marks = append(u.marks, len(u.stack))
		return u.spend(8)
	case opPop:
		// A mark counts as an item here.
		if n := len(u.marks); n > 0 && u.marks[n-1] == len(u.stack) {
			u.marks = u.marks[:n-1]
			return nil
		}
		_, err := u.pop()
		return err
	case opPopMark:
		_, err := u.popMark()
		return err
	case opDup:
		v, err := u.top()
		return u.pushOr(v, err)
	case opBinPersID:
		id, err := u.pop()
		if err != nil {
			return err
		}
		if u.persist == nil {
			return fmt.Errorf("a reference to a storage where none belongs: %w", ErrFormat)
		}
		v, err := u.persist(id)
		return u.pushOr(v, err)
	case opGlobal, opStackGlobal, opReduce, opNewObj, opNewObjEx, opBuild:
		return u.stepObject(op)
	case opTuple, opEmptyTuple, opTuple1, opTuple2, opTuple3, opEmptyList, opEmptyDict, opEmptySet,
		opFrozenSet, opAppend, opAppends, opSetItem, opSetItems, opAddItems:
		return u.stepContainer(op)
	case opBinGet, opLongBinGet, opBinPut, opLongBinPut, opMemoize:
		return u.stepMemo(op)
	}
	v, err := u.literal(op)
	return u.pushOr(v, err)
}

// literal reads the value of an opcode that stands for itself.
func (u *unpickler) literal(op byte) (any, error) {
	switch op {
	case opNone:
		return nil, nil
	case opNewTrue, opNewFalse:
		return op == opNewTrue, nil
	case opBinInt1:
		return u.int(1)
	case opBinInt2:
		return u.int(2)
	case opBinInt:
		v, err := u.uint(4)
		return int64(int32(v)), err
	case opBinFloat:
		b, err := u.bytes(8)
		if err != nil {
			return nil, err
		}
		return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
	case opLong1:
		return u.long(1)
	case opLong4:
		return u.long(4)
	case opInt, opLong:
		return u.decimal()
	case opShortBinUnicode:
		return u.string(1)
	case opBinUnicode:
		return u.string(4)
	case opBinUnicode8:
		return u.string(8)
	case opShortBinString:
		return u.string(1)
	case opBinString:
		return u.string(4)
	case opShortBinBytes:
		return u.blob(1)
	case opBinBytes:
		return u.blob(4)
	case opBinBytes8, opByteArray8:
		return u.blob(8)
	}
	return nil, fmt.Errorf("the pickle opcode %#02x: %w", op, ErrUnsupported)
}

// stepMemo stores the topmost value under a number, or pushes a stored one.
func (u *unpickler) stepMemo(op byte) error {
	var key uint64
	var err error
	switch op {
	case opBinGet, opBinPut:
		key, err = u.uint(1)
	case opLongBinGet, opLongBinPut:
		key, err = u.uint(4)
	case opMemoize:
		key = uint64(len(u.memo))
	}
	if err != nil {
		return err
	}
	if op == opBinGet || op == opLongBinGet {
		v, ok := u.memo[key]
		if !ok {
			return fmt.Errorf("the pickle memo has no number %d: %w", key, ErrFormat)
		}
		return u.push(v)
	}
	v, err := u.top()
	if err != nil {
		return err
	}
	u.memo[key] = v
	return u.spend(64)
}

func (u *unpickler) push(v any) error {
	u.stack = append(u.stack, v)
	return u.spend(32)
}

func (u *unpickler) pushOr(v any, err error) error {
	if err != nil {
		return err
	}
	return u.push(v)
}

// floor is the height of the stack that pop leaves alone: what lies below the last mark.
func (u *unpickler) floor() int {
	if n := len(u.marks); n > 0 {
		return u.marks[n-1]
	}
	return 0
}

func (u *unpickler) top() (any, error) {
	if len(u.stack) <= u.floor() {
		return nil, fmt.Errorf("the pickle takes a value that it has not made: %w", ErrFormat)
	}
	return u.stack[len(u.stack)-1], nil
}

func (u *unpickler) pop() (any, error) {
	v, err := u.top()
	if err == nil {
		u.stack = u.stack[:len(u.stack)-1]
	}
	return v, err
}

// popMark returns the values above the last mark; they are valid until the next push.
func (u *unpickler) popMark() ([]any, error) {
	n := len(u.marks)
	if n == 0 {
		return nil, fmt.Errorf("the pickle takes values without a mark: %w", ErrFormat)
	}
	at := u.marks[n-1]
	values := u.stack[at:]
	u.marks, u.stack = u.marks[:n-1], u.stack[:at]
	return values, nil
}

func (u *unpickler) spend(n int64) error {
	if u.memory -= n; u.memory < 0 {
		return fmt.Errorf("its pickle holds more than %d MB of values: %w", pickleMemory>>20, ErrUnsupported)
	}
	return nil
}

func (u *unpickler) byte() (byte, error) {
	b, err := u.r.ReadByte()
	if err != nil {
		return 0, pickleEnd(err)
	}
	u.left--
	return b, nil
}

// bytes reads n bytes, after making sure that they exist and may be kept.
func (u *unpickler) bytes(n uint64) ([]byte, error) {
	if u.left < 0 || n > uint64(u.left) {
		return nil, fmt.Errorf("the pickle wants %d bytes of %d: %w", n, max(u.left, 0), ErrTruncated)
	}
	if err := u.spend(int64(n)); err != nil {
		return nil, err
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(u.r, b); err != nil {
		return nil, pickleEnd(err)
	}
	u.left -= int64(n)
	return b, nil
}

func pickleEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the pickle has no end: %w", ErrTruncated)
	}
	return err
}

// uint reads a little-endian number of n bytes, up to 8.
func (u *unpickler) uint(n int) (uint64, error) {
	var v uint64
	for i := range n {
		b, err := u.byte()
		if err != nil {
			return 0, err
		}
		v |= uint64(b) << (8 * i)
	}
	return v, nil
}

func (u *unpickler) int(n int) (any, error) {
	v, err := u.uint(n)
	return int64(v), err
}

// blob reads bytes behind their length, a number of n bytes.
func (u *unpickler) blob(n int) (any, error) {
	size, err := u.uint(n)
	if err != nil {
		return nil, err
	}
	return u.bytes(size)
}

func (u *unpickler) string(n int) (any, error) {
	size, err := u.uint(n)
	if err != nil {
		return nil, err
	}
	b, err := u.bytes(size)
	return string(b), err
}

// long reads a two's complement number behind its length, a number of n bytes. Numbers that int64
// cannot hold, such as the magic number of a legacy file, become *big.Int.
func (u *unpickler) long(n int) (any, error) {
	size, err := u.uint(n)
	if err == nil && size > maxLine {
		err = fmt.Errorf("an integer of %d bytes: %w", size, ErrUnsupported)
	}
	if err != nil {
		return nil, err
	}
	b, err := u.bytes(size)
	if err != nil {
		return nil, err
	}
	negative := len(b) > 0 && b[len(b)-1]&0x80 != 0
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	v := new(big.Int).SetBytes(b)
	if negative {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return smallInt(v), nil
}

func smallInt(v *big.Int) any {
	if v.IsInt64() {
		return v.Int64()
	}
	return v
}

// decimal reads a number as text; protocol 1 writes booleans as 00 and 01.
func (u *unpickler) decimal() (any, error) {
	line, err := u.line()
	if err != nil {
		return nil, err
	}
	if line == "00" || line == "01" {
		return line == "01", nil
	}
	if n := len(line); n > 0 && line[n-1] == 'L' {
		line = line[:n-1]
	}
	if v, err := strconv.ParseInt(line, 10, 64); err == nil {
		return v, nil
	}
	v, ok := new(big.Int).SetString(line, 10)
	if !ok {
		return nil, fmt.Errorf("%.40q where a number belongs: %w", line, ErrFormat)
	}
	return smallInt(v), nil
}

// line reads text up to a newline.
func (u *unpickler) line() (string, error) {
	var b []byte
	for {
		c, err := u.byte()
		if err != nil {
			return "", err
		}
		if c == '\n' {
			break
		}
		if b = append(b, c); len(b) > maxLine {
			return "", fmt.Errorf("a line of more than %d bytes in the pickle: %w", maxLine, ErrFormat)
		}
	}
	if !utf8.Valid(b) {
		return "", fmt.Errorf("the name %q in the pickle is not UTF-8: %w", b, ErrFormat)
	}
	return string(b), u.spend(int64(len(b)))
}
