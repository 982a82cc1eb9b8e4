"""A CompactDAQ chassis with an analog output and an analog input module."""
