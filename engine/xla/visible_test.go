package xla

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestVisible: of which GPUs name and free memory are told, by the variables of CUDA.
func TestVisible(t *testing.T) {
	big := Card{Name: "big", UUID: "GPU-aa11", Memory: 80, Used: 30}
	small := Card{Name: "small", UUID: "GPU-aa22", Memory: 40, Used: 1}
	twin := Card{Name: "big", UUID: "GPU-bb33", Memory: 80, Used: 70}
	mute := Card{Name: "mute"} // of a system that tells nothing
	set := func(visible string) visibility { return visibility{limited: true, visible: visible} }
	for _, c := range []struct {
		cards []Card
		v     visibility
		card  int
		room  int // -1 where it must not be told
		name  string
	}{
		{nil, visibility{}, 0, -1, ""},
		{[]Card{mute}, visibility{}, 0, -1, "mute"},
		{[]Card{big}, visibility{}, 0, 50, "big"},
		{[]Card{big}, visibility{order: "FASTEST_FIRST"}, 0, 50, "big"},
		{[]Card{big}, set("GPU-aa"), 0, 50, "big"},
		{[]Card{big}, set("MIG-7"), 0, -1, "big"},
		{[]Card{big, small}, visibility{}, 1, 39, "small"},
		{[]Card{big, small}, visibility{}, 2, -1, ""},
		{[]Card{big, small}, visibility{order: "PCI_BUS_ID"}, 1, 39, "small"},
		{[]Card{big, small}, visibility{order: "FASTEST_FIRST"}, 1, -1, ""},
		{[]Card{big, twin}, visibility{order: "FASTEST_FIRST"}, 1, -1, "big"},
		{[]Card{big, small}, set("1"), 0, 39, "small"},
		{[]Card{big, small}, set("1"), 1, -1, ""},
		{[]Card{big, small}, set("1,0"), 1, 50, "big"},
		{[]Card{big, small, twin}, set("2,0"), 0, 10, "big"},
		{[]Card{big, small, twin}, set("2,9,0"), 1, -1, ""}, // the list ends at the first that there is not
		{[]Card{big, small, twin}, set("2,-1,0"), 0, 10, "big"},
		{[]Card{big, small, twin}, set(""), 0, -1, ""},
		{[]Card{big, small, twin}, set("GPU-aa22,GPU-bb"), 0, 39, "small"},
		{[]Card{big, small, twin}, set("GPU-aa22,GPU-bb"), 1, 10, "big"},
		{[]Card{big, small, twin}, visibility{"FASTEST_FIRST", true, "GPU-bb"}, 0, 10, "big"}, // a UUID needs no order
		{[]Card{big, small, twin}, visibility{"FASTEST_FIRST", true, "2"}, 0, -1, ""},
		{[]Card{big, small, twin}, set("GPU-aa"), 0, -1, ""}, // of two
		{[]Card{big, small, twin}, set("GPU-cc,0"), 0, -1, ""},
		{[]Card{big, small, twin}, set("0,0"), 0, -1, ""},
		{[]Card{big, small, twin}, set("0, 1"), 0, -1, ""},
		{[]Card{big, small, twin}, set("MIG-aa,0"), 1, -1, ""},
		{[]Card{big, mute}, set("GPU-aa11"), 0, -1, ""}, // which may be of the other
	} {
		room, known := c.v.room(c.cards, c.card)
		if !known {
			room = -1
		}
		if room != c.room {
			t.Errorf("%+v: the room is %d, %v", c, room, known)
		}
		if got := c.v.name(c.cards, c.card); got != c.name {
			t.Errorf("%+v: the name is %q", c, got)
		}
	}
	if _, known := (&Info{card: -1}).Room(); known {
		t.Error("the memory of a device that is no GPU is known")
	}
}

// TestCardsVisible: GPUs are numbered as --device knows them, by the environment.
func TestCardsVisible(t *testing.T) {
	root := t.TempDir()
	s := search(root, nil)
	if cards, err := s.Cards(); err == nil && len(cards) > 0 {
		t.Skip("this machine has a GPU, which the test is to be without")
	}
	for _, bus := range []string{"01", "02"} {
		path := tree(t, root, "proc/driver/nvidia/gpus/0000:"+bus+":00.0/information")[0]
		if err := os.WriteFile(filepath.Clean(path), []byte("Model: \t\t NVIDIA L4\nGPU UUID: \t GPU-"+bus+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(envOrder, "")
	numbered := func() (list []string) {
		cards, err := s.Cards()
		if err != nil || len(cards) != 2 || cards[1].UUID != "GPU-02" {
			t.Fatalf("%+v, %v", cards, err)
		}
		for _, c := range cards {
			list = append(list, c.Device+c.Hidden)
		}
		return list
	}
	for _, c := range []struct{ visible, first, second string }{
		{"0,1", "cuda:0", "cuda:1"},
		{"1", "CUDA_VISIBLE_DEVICES=1", "cuda:0"},
		{"GPU-02,GPU-01", "cuda:1", "cuda:0"},
		{"", "CUDA_VISIBLE_DEVICES=", "CUDA_VISIBLE_DEVICES="},
		{"MIG-1", "", ""},
	} {
		t.Setenv(envVisible, c.visible)
		if got := numbered(); !slices.Equal(got, []string{c.first, c.second}) {
			t.Errorf("with %q the GPUs are %q", c.visible, got)
		}
	}
	os.Unsetenv(envVisible) // which t.Setenv puts back
	if got := numbered(); !slices.Equal(got, []string{"cuda:0", "cuda:1"}) {
		t.Errorf("without the variable the GPUs are %q", got)
	}
	t.Setenv(envOrder, "FASTEST_FIRST")
	if got := numbered(); !slices.Equal(got, []string{"", ""}) {
		t.Errorf("in an unknown order the GPUs are %q", got)
	}
}
