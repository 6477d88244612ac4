package bytesize

import "testing"

func TestParse(t *testing.T) {
	for s, want := range map[string]int{
		"3GB": 3e9, "3gb": 3e9, "1.5GiB": 3 << 29, "512 MiB": 512 << 20, " 100kB ": 1e5, "7B": 7, "2TB": 2e12, "0.5KiB": 512, "1TiB": 1 << 40, "1e3MB": 1e9, "1.9B": 1,
	} {
		if got, err := Parse(s); err != nil || got != want {
			t.Errorf("%q is %d, error %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "3", "GB", "-1GB", "0GB", "3 gigabytes", "3GBs", "1e40GB", "NaNGB", "InfGB", "0x10GB", "1_000MB", "3,5GB", "3G"} {
		if got, err := Parse(s); err == nil {
			t.Errorf("%q is taken for %d", s, got)
		}
	}
}

func TestFormat(t *testing.T) {
	for bytes, want := range map[int]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 9940: "9.9 kB", 9960: "10 kB", 940e6: "940 MB", 999.6e6: "1.0 GB", 1.24e9: "1.2 GB", 126e9: "126 GB", 3e12: "3.0 TB", 5e15: "5000 TB",
	} {
		if got := Format(bytes); got != want {
			t.Errorf("%d is %q, want %q", bytes, got, want)
		}
	}
}
