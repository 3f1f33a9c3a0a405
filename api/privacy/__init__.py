"""The privacy desk: erasures with their receipts, access exports, retention and the data map."""
