package engine_test

import (
	"os"
	"testing"

	"github.com/seed-0f004ec9/spgd/internal/pjrttest"
)

func TestMain(m *testing.M) { os.Exit(pjrttest.Main(m)) }
