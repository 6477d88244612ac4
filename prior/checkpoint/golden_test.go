package checkpoint

import "testing"

func TestGoldenSafetensors(t *testing.T) {
	f, err := Open("../testdata/unet_attention.safetensors", Prefix("weights/"))
	if err != nil {
		t.Fatal(err)
	}
	w := f.Tensors["time_embed.0.weight"]
	if len(w.Shape) != 2 || w.Shape[0] != 128 || w.Shape[1] != 32 || len(w.Data) != 128*32 {
		t.Errorf("time_embed.0.weight is %v with %d values", w.Shape, len(w.Data))
	}
	if f.Metadata["config"] == "" {
		t.Error("no configuration in the metadata")
	}
}
