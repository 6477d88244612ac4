package resume

import "time"

// SetClock makes the keeper measure the time that writing takes by another clock.
func (k *Keeper) SetClock(now func() time.Time) { k.now = now }
