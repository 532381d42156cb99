package fault

import "testing"

func TestFaultsAreChecked(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"no-such-fault", "slow-start", "bootstrap-eio"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("fault %s was taken", name)
				}
			}()
			new(Set).Add(name, "soon")
		}()
	}
}
