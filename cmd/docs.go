package cmd

import "github.com/spf13/cobra"

// Root returns the command tree for those who document it. It is not to be run.
func Root() *cobra.Command { return newRoot(streams{}) }
