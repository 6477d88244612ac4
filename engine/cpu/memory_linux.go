package cpu

import (
	"bufio"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// availableMemory is what the process can still allocate: the least of what the system, the
// control groups and the limit on the address space leave.
func availableMemory() (bytes int, known bool) {
	have := math.MaxInt
	if n, ok := memInfo("/proc/meminfo", "MemAvailable:"); ok {
		have = min(have, n)
	}
	// Control groups of version 2 and 1; a file without a number means no limit. Memory that
	// holds files can be taken back, so it counts as free.
	for _, g := range []struct{ limit, used, stat, cache string }{
		{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat", "inactive_file"},
		{"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes", "/sys/fs/cgroup/memory/memory.stat", "total_inactive_file"},
	} {
		limit, ok1 := readNumber(g.limit)
		used, ok2 := readNumber(g.used)
		if ok1 && ok2 {
			cache, _ := memInfo(g.stat, g.cache)
			have = min(have, max(0, limit-used+cache))
		}
	}
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_AS, &r) == nil && r.Cur < math.MaxInt64 {
		if pages, ok := readNumber("/proc/self/statm"); ok {
			have = min(have, max(0, int(r.Cur)-pages*os.Getpagesize()))
		}
	}
	return have, have < math.MaxInt
}

// residentMemory is what the process holds of the machine's memory.
func residentMemory() (bytes int, known bool) {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, false
	}
	w := strings.Fields(string(data))
	if len(w) < 2 {
		return 0, false
	}
	pages, err := strconv.Atoi(w[1])
	return pages * os.Getpagesize(), err == nil
}

// readNumber reads the first number of a small file.
func readNumber(path string) (int, bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	word, _, _ := strings.Cut(strings.TrimSpace(string(data)), " ")
	n, err := strconv.Atoi(word)
	return n, err == nil
}

// memInfo reads the number after a key at the beginning of a line; "kB" multiplies it by 1024.
func memInfo(path, key string) (int, bool) {
	f, err := os.Open(path)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		w := strings.Fields(s.Text())
		if len(w) < 2 || w[0] != key {
			continue
		}
		n, err := strconv.Atoi(w[1])
		if len(w) > 2 && w[2] == "kB" {
			n *= 1024
		}
		return n, err == nil
	}
	return 0, false
}
