package cpu

import (
	"errors"
	"strings"
	"testing"
)

// TestMemoryError: what does not fit is an error that says how much is missing, before anything is
// allocated.
func TestMemoryError(t *testing.T) {
	if _, known := AvailableMemory(); !known {
		t.Skip("the system does not say what memory there is")
	}
	if err := CheckMemory(1); err != nil {
		t.Errorf("one byte: %v", err)
	}
	b, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	const much = 1 << 60
	_, arenaErr := b.arenaOf(much)
	for name, err := range map[string]error{"CheckMemory": CheckMemory(much), "arena": arenaErr} {
		var m *MemoryError
		if !errors.Is(err, ErrMemory) || !errors.As(err, &m) || m.Need != much || m.Have >= much || !strings.Contains(err.Error(), "1073741824.0 GiB") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if a, err := b.arenaOf(1000); err != nil || len(a) != 1000 {
		t.Errorf("an arena of 1000 bytes after the refusal: %d bytes, error %v", len(a), err)
	}
}
