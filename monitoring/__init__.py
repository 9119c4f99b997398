"""What running machines use: samples in, the top table and small bars out."""
