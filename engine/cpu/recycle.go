package cpu

import (
	"reflect"
	"slices"
	"sync"
	"unsafe"

	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// recycler keeps the memory of buffers that were finalized or donated for the buffers to come. A
// restoration makes images of the same few sizes in every step: as garbage they would pile up until
// the collector runs.
type recycler struct {
	mu    sync.Mutex
	kept  []any // []T each, of any supported type; the oldest first
	bytes int   // of them
	limit int   // of bytes: the most that one execution has taken for its outputs and been donated
}

// minRecycled is the size in bytes from which on memory is kept: what is smaller is no matter, and
// what is larger has an alignment that fits every type.
const minRecycled = 1 << 12

// flatBytes is the size of a flat slice.
func flatBytes(flat any) int {
	v := reflect.ValueOf(flat)
	return v.Len() * int(v.Type().Elem().Size())
}

// take returns memory of a shape's size with any content, or nil if none is kept.
func (r *recycler) take(s shapes.Shape) any {
	bytes := int(s.Memory())
	if bytes < minRecycled {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	// The youngest is the most likely to be in the cache.
	for i, flat := range slices.Backward(r.kept) {
		if flatBytes(flat) != bytes {
			continue
		}
		r.kept = slices.Delete(r.kept, i, i+1)
		r.bytes -= bytes
		if reflect.TypeOf(flat) == reflect.TypeOf(makeFlat(s.DType, 0)) {
			return flat
		}
		return flatAt(s.DType, unsafe.Slice((*byte)(reflect.ValueOf(flat).UnsafePointer()), bytes), 0, s.Size())
	}
	return nil
}

// give takes memory that nobody else holds. What is kept for the longest goes where there is more
// than the limit.
func (r *recycler) give(flat any) {
	bytes := flatBytes(flat)
	if bytes < minRecycled {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if bytes > r.limit {
		return
	}
	r.kept = append(r.kept, flat)
	r.bytes += bytes
	old := 0
	for ; r.bytes > r.limit; old++ {
		r.bytes -= flatBytes(r.kept[old])
	}
	r.kept = slices.Delete(r.kept, 0, old)
}

// raise makes the limit at least the given number of bytes.
func (r *recycler) raise(limit int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limit = max(r.limit, limit)
}

// size is the number of bytes that are kept.
func (r *recycler) size() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes
}

// clear lets everything go.
func (r *recycler) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept, r.bytes = nil, 0
}
