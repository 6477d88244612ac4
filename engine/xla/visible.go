package xla

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// Variables of CUDA's: the order in which it counts GPUs, and those that it counts.
const (
	envOrder   = "CUDA_DEVICE_ORDER"
	envVisible = "CUDA_VISIBLE_DEVICES"
)

// visibility is what the two variables say. The zero value is that neither is set.
type visibility struct {
	order   string
	limited bool // visible is set, perhaps to nothing
	visible string
}

// currentVisibility reads the variables.
func currentVisibility() visibility {
	visible, limited := os.LookupEnv(envVisible)
	return visibility{os.Getenv(envOrder), limited, visible}
}

// places are the GPUs that CUDA counts, in its order, by their places among those that the driver lists. known is false
// where that cannot be told. The rules are those of the CUDA C++ Programming Guide, section CUDA Environment Variables:
// numbers in the order of CUDA_DEVICE_ORDER, or UUIDs, which may be shortened as long as they are of one GPU; the list ends at
// the first that there is not.
func (v visibility) places(cards []Card) (list []int, known bool) {
	sorted := v.order == "" || v.order == "PCI_BUS_ID" || len(cards) == 1 // where it is not set, Open sets it
	if !v.limited {
		for i := range cards {
			list = append(list, i)
		}
		return list, sorted
	}
	for entry := range strings.SplitSeq(v.visible, ",") {
		i, known := placeOf(entry, cards)
		_, err := strconv.Atoi(entry)
		switch {
		case !known || err == nil && i >= 0 && !sorted, slices.Contains(list, i):
			return nil, false // one listed twice is an error of CUDA's
		case i < 0:
			return list, true
		}
		list = append(list, i)
	}
	return list, true
}

// placeOf is the place of the GPU that an entry of CUDA_VISIBLE_DEVICES names, -1 if it names none. known is false for what
// may be read in several ways, and for parts of a GPU (MIG).
func placeOf(entry string, cards []Card) (i int, known bool) {
	if n, err := strconv.Atoi(entry); err == nil {
		if n < 0 || n >= len(cards) {
			n = -1
		}
		return n, true
	}
	if entry == "" {
		return -1, true
	}
	if !strings.HasPrefix(entry, "GPU-") {
		return 0, false
	}
	i = -1
	for k, c := range cards {
		switch {
		case c.UUID == "":
			return 0, false
		case !strings.HasPrefix(c.UUID, entry):
		case i >= 0:
			return 0, false
		default:
			i = k
		}
	}
	return i, true
}

// room is the free memory of the GPU that CUDA counts as number card.
func (v visibility) room(cards []Card, card int) (bytes int, known bool) {
	list, known := v.places(cards)
	if !known || card >= len(list) {
		return 0, false
	}
	c := cards[list[card]]
	return int(c.Memory - c.Used), c.Memory > 0
}

// name is the name of the GPU that CUDA counts as number card, "" where that is not sure.
func (v visibility) name(cards []Card, card int) string {
	list, known := v.places(cards)
	switch {
	case known && card < len(list):
		return cards[list[card]].Name
	case known || card >= len(cards) || slices.ContainsFunc(cards, func(c Card) bool { return c.Name != cards[0].Name }):
		return ""
	}
	return cards[card].Name // as all of them
}

// number notes as what --device knows the cards.
func (v visibility) number(cards []Card) {
	list, known := v.places(cards)
	if !known {
		return
	}
	for i := range cards {
		if n := slices.Index(list, i); n >= 0 {
			cards[i].Device = "cuda:" + strconv.Itoa(n)
		} else {
			cards[i].Hidden = envVisible + "=" + v.visible
		}
	}
}
